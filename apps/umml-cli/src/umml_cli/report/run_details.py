"""Looking at single runs: finding them, describing them, comparing two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from umml_cli.errors import UserError
from umml_cli.report.run_lists import named_values, settings_of
from umml_cli.results.intervals import difference_interval
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.store import RUNS, RunFolder, RunStore
from umml_cli.terms import TASK_TITLES, TASKS

DEFAULT_FOLDERS = (Path("umml-reproduce"), Path("umml-quickstart"), Path("runs"))
"""Where `umml reproduce`, `umml quickstart` and `umml train` write if nothing else is said."""


def the_output_folder(given: Path | None) -> Path:
    """Return the folder that was given, or the only one of `DEFAULT_FOLDERS` that is here.

    Raises:
        UserError: the given one is not there, or of the others there is none, or more than one.
    """
    if given is not None:
        if not given.is_dir():
            raise UserError(
                f"There is no folder {given}; name the one that umml train or umml reproduce wrote."
            )
        return given
    here = [folder for folder in DEFAULT_FOLDERS if folder.is_dir()]
    if len(here) == 1:
        return here[0]
    if here:
        raise UserError(f"There are runs in {' and in '.join(map(str, here))}; name the folder.")
    raise UserError(
        "There are no runs in the current folder; name the folder that umml train or umml reproduce wrote."
    )


def open_store(out: Path | None) -> RunStore:
    """The runs of an output folder, or of the folder of runs itself; None: of the one that is here."""
    out = the_output_folder(out)
    root = out / RUNS if (out / RUNS).is_dir() else out
    return RunStore(root)


def locked_folder(store: RunStore) -> Path:
    """The folder that a command which writes these runs holds: that of a grid, or the runs' own."""
    above = store.root.absolute().parent
    of_a_grid = any((above / name).exists() for name in ("grid.json", ".lock"))
    return above if store.root.name == RUNS and of_a_grid else store.root


def find_run(store: RunStore, name: str) -> RunFolder:
    """The one run whose name begins like this."""
    found = [folder for folder in store.folders() if folder.path.name.startswith(name)]
    if len(found) != 1:
        raise UserError(f"{len(found)} runs in {store.root} begin with {name!r}; see `umml runs list`.")
    return found[0]


def describe_run(folder: RunFolder) -> Group:
    """What is known of a run: its settings, the options of its method, times and environment, as tables."""
    spec, result = folder.read_specification(), folder.read_result()
    settings = settings_of(spec)
    run = {
        "folder": str(folder.path),
        **{name: settings[name] for name in settings if name not in spec.options},
    }
    if folder.failure.exists():
        run["failed"] = folder.failure.read_text(encoding="utf-8").strip()
    parts: dict[str, dict[str, Any]] = {"run": run, f"options of {spec.method}": spec.options}
    if result is None:
        run["state"] = "not complete"
    else:
        maps = ", ".join(f"{TASK_TITLES[task]} {result.best.map[task]:.4f}" for task in TASKS)
        run["best evaluated epoch"] = f"{result.best.epoch}: {maps}"
        if (trial := result.precision_trial) is not None:
            run["precision chosen"] = trial.reason
        parts["seconds"] = {name: f"{value:.2f}" for name, value in result.seconds.items()}
        parts["environment"] = dict(result.environment)
    tables = [(Text(f"\n{title}", style="bold"), named_values(rows)) for title, rows in parts.items() if rows]
    return Group(*(one for pair in tables for one in pair))


def compare_runs(first: RunFolder, second: RunFolder) -> Table:
    """Differing settings, and the difference of both mAPs with its interval over queries.

    Runs on data that differ, or with other rows held out, have no common queries, so that the difference has
    no interval.
    """
    if any(folder.read_result() is None for folder in (first, second)):
        raise UserError("One of the two runs is not complete; only complete runs can be compared.")
    specs = [folder.read_specification() for folder in (first, second)]
    ours, theirs = (settings_of(spec) for spec in specs)
    table = Table("", first.path.name[:8], second.path.name[:8], "difference (95% CI)")
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            table.add_row(name, ours.get(name, ""), theirs.get(name, ""), "")
    table.add_section()
    queries = [(spec.data_digest, spec.validation) for spec in specs]
    loaded = [RunPrecision.load(folder.precision) for folder in (first, second)]
    for task in TASKS:
        one, other = (precision.task(task, "last") for precision in loaded)
        said = f"{np.nanmean(other) - np.nanmean(one):+.4f}"
        if queries[0] == queries[1]:
            low, high = difference_interval(other[None], one[None])
            said += f" ({low:+.4f} to {high:+.4f}{', not significant' if low <= 0 <= high else ''})"
        else:
            said += " (other queries)"
        table.add_row(TASK_TITLES[task], f"{np.nanmean(one):.4f}", f"{np.nanmean(other):.4f}", said)
    return table


def leftovers(store: RunStore) -> list[Path]:
    """Folders of runs that are not complete, and temporary files of processes that were killed."""
    folders = {folder.path for folder in store.folders()} | {
        path for path in store.root.iterdir() if path.is_dir()
    }
    incomplete = sorted(path for path in folders if not RunFolder(path).result.exists())
    temporary = sorted(
        path
        for folder in sorted(folders - set(incomplete))
        for pattern in (".*.tmp*", ".*.part", "checkpoint.safetensors", "evaluations.json")
        for path in folder.glob(pattern)
    )
    return incomplete + temporary
