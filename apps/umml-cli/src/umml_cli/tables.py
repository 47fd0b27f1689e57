"""The table of a series, for the terminal and as plain rows for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from umml_cli.cells import Cell
from umml_cli.paper_tables import NOISE, NOISE_REMARK, TASK_TITLES
from umml_cli.progress import format_seconds
from umml_cli.results import discarded_cell, spread_remark
from umml_cli.store import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_metrics import PairedTest, RetrievalReport

    from umml_cli.results import Series
    from umml_cli.store import RunResult


@dataclass(frozen=True)
class Entry:
    """One cell of the table for one task, as text; `best` marks the best of its share of unpaired samples."""

    score: str
    change: str
    times_untrained: str
    against_discarding: str
    best: bool


def entry(series: Series, cell: Cell, task: str) -> Entry:
    """Format what the table says of one cell and task."""
    change = None if cell.scheme == "paired" else series.change_percent(cell, task)
    times = series.times_untrained(cell, task)
    gain = series.gain_over_discarding(cell, task)

    def mark(other: Cell) -> str:
        return NOISE if series.is_noise(cell, other, task) else ""

    return Entry(
        score=str(series.scores[cell, task]),
        change="" if change is None else f"{change:+.1f} %{mark(Cell.of('paired'))}",
        times_untrained="" if times is None or not cell.trained else f"{times:.2f} x",
        against_discarding=""
        if gain is None
        else f"{'unpaired' if gain >= 0 else 'discarded'} {gain:+.0f} %{mark(discarded_cell(cell.percent))}",
        best=series.is_best_of_share(cell, task),
    )


WIDE = 142
"""Columns that a table of both tasks needs."""


def series_tables(series: Series, width: int) -> list[Table]:
    """The series as rich tables: both tasks side by side where `width` columns hold them, else one each."""
    tables = (
        [_tasks_table(series, TASKS)] if width >= WIDE else [_tasks_table(series, [task]) for task in TASKS]
    )
    tables[-1].caption_justify = "left"
    tables[-1].caption = (
        "★ best at this share. Unpaired or discarded: which is better for as many samples, and what keeping "
        f"them gains (100 % discarded is an untrained network). {spread_remark([series])}{NOISE_REMARK}"
    )
    return tables


def _tasks_table(series: Series, tasks: Sequence[str]) -> Table:
    title = f"{series.title}: mAP"
    table = Table("training pairs", title=title, title_justify="left")
    for task in tasks:
        table.add_column(TASK_TITLES[task], justify="right", no_wrap=True)
        for name in ("of paired", "of untrained", "unpaired or discarded"):
            table.add_column(name, justify="right", style="dim", no_wrap=name != "unpaired or discarded")
    previous = None
    for cell in series.cells:
        if previous is not None and cell.scheme != previous:
            table.add_section()
        previous = cell.scheme
        row = [cell.title]
        for task in tasks:
            said = entry(series, cell, task)
            score = f"[bold]★ {said.score}[/]" if said.best else said.score
            row += [score, said.change, said.times_untrained, said.against_discarding]
        table.add_row(*row)
    return table


def result_table(result: RunResult) -> Table:
    """One run: its mAP in both tasks."""
    spec = result.specification
    pairs = result.training_pairs
    table = Table(title=spec.title, title_justify="left", caption=result.definition, caption_justify="left")
    table.add_column("task")
    table.add_column("mAP", justify="right")
    for task in TASKS:
        table.add_row(TASK_TITLES[task], f"{result.map[task]:.4f}")
    table.add_section()
    table.add_row("training rows kept", f"{pairs['kept']} of {pairs['rows']}")
    table.add_row("of these still pairs", str(pairs["paired"]))
    if "batch" in pairs:
        table.add_row("rows in a step", f"{pairs['batch']}, not {spec.options['batch_size']}")
    table.add_row("training time", format_seconds(result.seconds["training"]))
    return table


def report_table(report: RetrievalReport) -> Table:
    """The measures of an evaluation, a column for each task."""
    tasks = list(report.tasks.values())
    table = Table(
        "measure", *(task.task for task in tasks), caption="\n".join(report.notes()), caption_justify="left"
    )
    for title, values in report.rows():
        table.add_row(title, *(f"[bold]{value}[/]" if title == "mAP" else value for value in values))
    return table


def comparison_table(tests: Mapping[str, PairedTest]) -> Table:
    """The differences between two systems on the same queries."""
    table = Table("task", "difference of mAP", "p", title="first minus second", title_justify="left")
    for task, test in tests.items():
        table.add_row(task, f"{test.difference:+.4f}", f"{test.p_value:.4f}")
    return table
