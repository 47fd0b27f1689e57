"""One page with every method beside the others, from an output folder, finished or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.grid.reproduction import Reproduction
from umml_cli.report.paper_tables.leaderboard import leaderboard_tables
from umml_cli.report.paper_tables.table import Exhibited
from umml_cli.report.table_formats import to_markdown
from umml_cli.results.facts import facts
from umml_cli.results.series import collect
from umml_cli.runs.files import write_text
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.terms import counted

if TYPE_CHECKING:
    from pathlib import Path

    from umml_cli.grid.experiment import Experiment
    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult
    from umml_cli.terms import Selection, Spread


def write_leaderboard(
    folder: Path, to: Path, selection: Selection | None = None, spread: Spread | None = None
) -> tuple[int, int]:
    """Write the leaderboards of all experiments of a folder as one Markdown page; the folder stays as it is.

    Args:
        folder: of `umml reproduce`; its grid need not be complete.
        to: the page.
        selection: which epoch to show; None: as the folder does.
        spread: what stands behind ±; None: as the folder does.

    Returns:
        Runs that are complete, and runs of the grid.

    Raises:
        UserError: the folder is none of `umml reproduce`, or has no complete run.
    """
    reproduction = Reproduction.load(folder)
    store = RunStore(folder / RUNS)
    results = list(store.results(reproduction.specifications))
    if not results:
        raise UserError(f"No run of {folder} is complete yet; there is nothing to compare.")
    shown_epoch, shown_spread = selection or reproduction.selection, spread or reproduction.spread
    tables: list[PaperTable] = []
    for name, experiment, settings in _alike(reproduction):
        own = [
            result for result in results
            if result.specification.setting_id in settings and experiment.plans(result.specification)
        ]  # fmt: skip
        shown = experiment.shown(collect(own, selection=shown_epoch, spread=shown_spread, store=store))
        tables += leaderboard_tables(Exhibited(name, experiment, _in_order(shown, experiment), {}))
    write_text(to, _page(tables, reproduction, results))
    return len(results), len(reproduction.specifications)


def _alike(reproduction: Reproduction) -> list[tuple[str, Experiment, set[str]]]:
    """Experiments with their settings; one of those that differ in methods, data and code lengths alone."""
    found: dict[str, tuple[str, Experiment, set[str]]] = {}
    for name, experiment in reproduction.experiments.items():
        settings = set(reproduction.settings[name])
        key = experiment.model_dump_json(exclude={"methods", "data", "bits", "table", "figure"})
        if key in found:
            first, other, known = found[key]
            experiment = other.model_copy(  # noqa: PLW2901
                update={
                    "methods": {**other.methods, **experiment.methods},
                    "data": tuple(dict.fromkeys([*other.data, *experiment.data])),
                    "bits": (*other.bits, *experiment.bits) if other.bits and experiment.bits else (),
                }
            )
            name, settings = first, known | settings  # noqa: PLW2901
        found[key] = (name, experiment, settings)
    return list(found.values())


def _in_order(shown: list[Series], experiment: Experiment) -> list[Series]:
    """Data sets as the experiment names them."""
    order = {name: place for place, name in enumerate(experiment.data)}
    return sorted(shown, key=lambda series: order.get(series.dataset, len(order)))


def _page(tables: list[PaperTable], reproduction: Reproduction, results: list[RunResult]) -> str:
    remarks = dict.fromkeys(remark for table in tables for remark in table.remarks)
    specs = [result.specification for result in results]
    methods, data, lengths = (
        {getattr(spec, name) for spec in specs} for name in ("method", "dataset", "bits")
    )
    rows = {(spec.dataset, spec.data_digest, spec.validation) for spec in specs}
    several = sorted(name for name in data if sum(name == one for one, *_ in rows) > 1)
    same = (
        f"by the same measure, but not all on the same rows: runs on {', '.join(several)} saw data that "
        "changed between them, or held out other rows"
        if several
        else "on the same rows and by the same measure"
    )
    introduction = (
        f"{counted(len(methods), 'method')} beside each other on {counted(len(data), 'data set')} at "
        f"{counted(len(lengths), 'code length')}, {same}. Written by "
        "`umml report FOLDER --leaderboard PAGE`; every number on this page is read from the runs."
    )
    known = facts(results, n_planned=len(reproduction.specifications))
    presets = {
        choice.preset or "default"
        for experiment in reproduction.experiments.values() for choice in experiment.methods.values()
    }  # fmt: skip
    known["presets"] = ", ".join(sorted(presets))
    parts = [
        f"# Leaderboard\n\n{introduction}\n",
        "".join(f"- {title}: {text}\n" for title, text in known.items()),
        *(to_markdown(replace(table, remarks=())) for table in tables),
        "## How to read the tables\n\n" + "".join(f"- {remark}\n" for remark in remarks),
    ]
    return "\n".join(parts)
