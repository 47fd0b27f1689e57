"""The table of a series, for the terminal and as plain rows for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from umml_cli.results.series import discarded_cell, significance_remark, spread_remark
from umml_cli.runs.cells import Cell
from umml_cli.terms import NOT_SIGNIFICANT, TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from umml_cli.results.series import Series


@dataclass(frozen=True)
class SeriesEntry:
    """One cell of the table for one task, as text; `best` marks the best of its share of unpaired samples."""

    score: str
    change: str
    times_untrained: str
    against_discarding: str
    best: bool


def entry(series: Series, cell: Cell, task: str) -> SeriesEntry:
    """Format what the table says of one cell and task."""
    change = None if cell.scheme == "paired" else series.change_percent(cell, task)
    times = series.times_untrained(cell, task)
    gain = series.gain_over_discarding(cell, task)

    def mark(other: Cell) -> str:
        return NOT_SIGNIFICANT if series.is_not_significant(cell, other, task) else ""

    return SeriesEntry(
        score=series.scores[cell, task].text(series.spread),
        change="" if change is None else f"{change:+.1f}%{mark(Cell.of('paired'))}",
        times_untrained="" if times is None or not cell.trained else f"{times:.2f}×",
        against_discarding=""
        if gain is None
        else f"{'unpaired' if gain >= 0 else 'discarded'} {gain:+.0f}%{mark(discarded_cell(cell.percent))}",
        best=series.is_best_of_share(cell, task),
    )


BETTER = "better strategy"
WIDE = 142
"""Characters that a table of both tasks needs."""


def series_tables(series: Series, width: int) -> list[Table]:
    """The series as rich tables: both tasks side by side where `width` columns hold them, else one each."""
    tables = (
        [_tasks_table(series, TASKS)] if width >= WIDE else [_tasks_table(series, [task]) for task in TASKS]
    )
    tables[-1].caption_justify = "left"
    tables[-1].caption = (
        "★ best at this share. Better strategy: unpaired samples kept or discarded, and what keeping gains "
        f"(100% discarded is an untrained network). {spread_remark([series])}{significance_remark([series])}"
    )
    return tables


def _tasks_table(series: Series, tasks: Sequence[str]) -> Table:
    title = f"{series.title}: mAP"
    table = Table("training pairs", title=title, title_justify="left", pad_edge=False)
    for task in tasks:
        table.add_column(TASK_TITLES[task], justify="right", no_wrap=True)
        for name in ("vs. paired", "×\nuntrained", BETTER):
            table.add_column(name, justify="right", style="dim", no_wrap=name != BETTER)
    previous = None
    for cell in series.cells:
        if previous is not None and cell.scheme != previous:
            table.add_section()
        previous = cell.scheme
        row: list[str | Text] = [cell.title]
        for task in tasks:
            said = entry(series, cell, task)
            score = Text(f"★ {said.score}", style="bold") if said.best else said.score
            row += [score, said.change, said.times_untrained, said.against_discarding]
        table.add_row(*row)
    return table
