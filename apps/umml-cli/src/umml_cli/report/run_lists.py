"""Runs as tables that fit a terminal: what they have in common once, and then what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from umml_cli.console import as_text
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunResult

SHORTEST_NAME = 8
TITLES = ("method", "data set", "bits", "training pairs", "seed")
"""What names a run; other settings stand in a list only where runs of one name differ."""


def settings_of(specification: RunSpecification) -> dict[str, str]:
    """Return every setting of a run as text, options of its method among them; the first ones name a run.

    Args:
        specification: the run.

    Returns:
        Name to value: method, data set, bits, training pairs, seed, then the others.
    """
    values = specification.model_dump(
        mode="json", exclude={"method", "dataset", "bits", "cell", "seed", "options"}
    )
    first = {
        "method": specification.label,
        "data set": specification.dataset,
        "bits": specification.bits,
        "training pairs": specification.cell.title,
        "seed": specification.seed,
    }
    every = {**first, **values, **specification.options}
    return {name: as_text(value) for name, value in every.items()}


def runs_table(runs: Mapping[str, tuple[RunSpecification, RunResult | None, str]]) -> Group:
    """Return the list of runs, with a column for what differs among them.

    Args:
        runs: name of each run to its specification, its result if it has one, and its state.
    """
    names = _short_names(list(runs))
    naming = {name: settings_of(spec) for name, (spec, _, _) in runs.items()}
    varying = [title for title in TITLES if len({one[title] for one in naming.values()}) > 1]
    alike: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for one in naming.values():
        alike.setdefault(_name_of(one), []).append(one)
    differing = {key: _differing(group) for key, group in alike.items()}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("run", no_wrap=True)
    for title in varying:
        table.add_column(title, overflow="fold")
    if any(differing.values()):
        table.add_column("differs in", overflow="fold")
    for task in TASKS:
        table.add_column(TASK_TITLES[task].replace(" → ", " →\n"), justify="right", no_wrap=True)
    table.add_column("state")
    for name, (_, result, state) in runs.items():
        one = naming[name]
        said = ", ".join(f"{key} {one[key]}" for key in differing[_name_of(one)] if key in one)
        maps = ["", ""] if result is None else [f"{result.map[task]:.4f}" for task in TASKS]
        table.add_row(
            names[name],
            *(one[title] for title in varying),
            *([said] if any(differing.values()) else []),
            *maps,
            state,
        )
    common = next(iter(naming.values()), {})
    shared = ", ".join(f"{title} {common[title]}" for title in TITLES if title not in varying and common)
    return Group(*([Text(f"All: {shared}")] if shared and len(runs) > 1 else []), table)


def _name_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(settings[title] for title in TITLES)


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """As many first digits of each as tell all of them apart."""
    length = SHORTEST_NAME
    while len({name[:length] for name in names}) < len(names):
        length += 1
    return {name: name[:length] for name in names}


def _differing(group: Sequence[Mapping[str, str]]) -> list[str]:
    """Settings that are not the same in all of a group."""
    every = dict.fromkeys(name for one in group for name in one)
    return [name for name in every if len({one.get(name) for one in group}) > 1]


def named_values(rows: Mapping[str, Any]) -> Table:
    """Return a table of names and values."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, show_header=False)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in rows.items():
        table.add_row(name, as_text(value))
    return table
