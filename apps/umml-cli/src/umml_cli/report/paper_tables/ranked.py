"""The hardest and the easiest samples changed first, beside rows in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.table import (
    Entry,
    Exhibited,
    PaperTable,
    Row,
    line_label,
    line_of,
    table_lines,
)
from umml_cli.results.intervals import difference_interval
from umml_cli.runs.cells import Cell
from umml_cli.terms import NOT_SIGNIFICANT, SELECTION_TITLES, SPREAD_TITLES, TASK_TITLES, TASKS

if TYPE_CHECKING:
    from umml_cli.results.series import Series

SELECTIONS = ("hardest", "easiest")
REMARKS = (
    "(n): only n of the seeds are complete.",
    "Behind hardest and easiest: the difference to rows in order with its 95% CI over queries and seeds.",
    "n.s.: not significant, the CI includes zero.",
)


def ranked_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return one table: mAP of each selection, and its difference to rows in order with its interval."""
    shown, seeds = exhibited.shown, exhibited.experiment.seeds
    by_key = {(series.dataset, line_of(series)): series for series in shown}
    cells = [cell for cell in exhibited.experiment.grid() if cell.select == "first" and not cell.completed]
    columns = [(cell.title, title) for cell in cells for title in _titles(cell)]
    rows = [
        Row(
            (dataset, line_label(line, shown), TASK_TITLES[task]),
            "ours",
            tuple(entry for cell in cells for entry in _entries(series, cell, task, seeds)),
            line[0],
        )
        for dataset in dict.fromkeys(series.dataset for series in shown)
        for line in table_lines(shown)
        if (series := by_key.get((dataset, line))) is not None
        for task in TASKS
    ]
    spread = SPREAD_TITLES[shown[0].spread]
    said = f"mAP: {SELECTION_TITLES[shown[0].selection]}; mean over {seeds} seeds ± {spread}."
    labels = ("data set", "method", "task")
    return [
        PaperTable(
            exhibited.name,
            exhibited.experiment.title,
            labels,
            tuple(columns),
            tuple(rows),
            remarks=(said, *REMARKS),
        )
    ]


def _titles(cell: Cell) -> tuple[str, ...]:
    return ("in order", *(f"{select} first" for select in SELECTIONS)) if cell.percent else ("",)


def _entries(series: Series, cell: Cell, task: str, seeds: int) -> list[Entry]:
    entries = [_entry(series, cell, task, seeds)]
    if cell.percent:
        ranked = (Cell.of(f"{cell.scheme} {select}", cell.percent) for select in SELECTIONS)
        entries += [_entry(series, one, task, seeds, cell) for one in ranked]
    return entries


def _entry(series: Series, cell: Cell, task: str, seeds: int, beside: Cell | None = None) -> Entry:
    score = series.scores.get((cell, task))
    if score is None:
        return Entry("")
    text = score.text(series.spread) if beside is None else f"{score.mean:.3f}"
    if score.seeds < seeds:
        text += f" ({score.seeds})"
    if beside is not None and (beside, task) in series.scores and series.store is not None:
        low, high = difference_interval(series.precision(cell, task), series.precision(beside, task))
        mark = NOT_SIGNIFICANT if low <= 0 <= high else ""
        text += f", {(low + high) / 2:+.3f} ({low:+.3f} to {high:+.3f}){mark}"
    return Entry(text, score.mean)
