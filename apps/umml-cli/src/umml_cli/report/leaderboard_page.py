"""One page with every method beside the others, from an output folder, finished or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.grid.reproduction import Reproduction
from umml_cli.report.paper_tables.leaderboard import leaderboard_tables
from umml_cli.report.paper_tables.table import Exhibited
from umml_cli.report.table_formats import to_markdown
from umml_cli.results.series import collect
from umml_cli.runs.files import write_text
from umml_cli.runs.store import RUNS, RunStore

if TYPE_CHECKING:
    from pathlib import Path

    from umml_cli.grid.experiment import Experiment
    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult
    from umml_cli.terms import Selection


def write_leaderboard(folder: Path, to: Path, selection: Selection | None = None) -> tuple[int, int]:
    """Write the leaderboards of all experiments of a folder as one Markdown page; the folder stays as it is.

    Args:
        folder: of `umml reproduce`; its grid need not be complete.
        to: the page.
        selection: which epoch to show; None: as the folder does.

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
    shown_epoch = selection or reproduction.selection
    tables: list[PaperTable] = []
    for name, experiment in reproduction.experiments.items():
        own = _own_results(results, experiment, reproduction.settings[name])
        shown = experiment.shown(collect(own, selection=shown_epoch, spread=reproduction.spread, store=store))
        tables += leaderboard_tables(Exhibited(name, experiment, _in_order(shown, experiment), {}))
    write_text(to, _page(tables, n_complete=len(results), n_runs=len(reproduction.specifications)))
    return len(results), len(reproduction.specifications)


def _own_results(
    results: list[RunResult], experiment: Experiment, settings: tuple[str, ...]
) -> list[RunResult]:
    return [
        result for result in results
        if result.specification.setting_id in settings and experiment.plans(result.specification)
    ]  # fmt: skip


def _in_order(shown: list[Series], experiment: Experiment) -> list[Series]:
    """Data sets as the experiment names them."""
    order = {name: place for place, name in enumerate(experiment.data)}
    return sorted(shown, key=lambda series: order.get(series.dataset, len(order)))


def _page(tables: list[PaperTable], *, n_complete: int, n_runs: int) -> str:
    remarks = dict.fromkeys(remark for table in tables for remark in table.remarks)
    state = "" if n_complete == n_runs else f" {n_complete:,} of {n_runs:,} runs were complete."
    how = "Every method on the same rows, by the same measure; written by `umml report FOLDER --leaderboard`."
    parts = [
        f"# Leaderboard\n\n{how}{state}\n",
        *(to_markdown(replace(table, remarks=())) for table in tables),
        "## How to read the tables\n\n" + "".join(f"- {remark}\n" for remark in remarks),
    ]
    return "\n".join(parts)
