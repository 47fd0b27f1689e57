"""What items of other rows in place of missing ones give, beside training without and discarding as many."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.table import (
    Entry,
    Exhibited,
    PaperTable,
    Row,
    line_label,
    line_of,
    run_remarks,
    score_entry,
    table_lines,
)
from umml_cli.results.series import significance_remark
from umml_cli.runs.cells import Cell
from umml_cli.terms import NOT_SIGNIFICANT, TASK_TITLES, TASKS, UNPAIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from umml_cli.report.paper_tables.table import Line
    from umml_cli.results.series import Series

LARGE_SHARE = 60
"""Percent of the pairs from which on a condition counts in the summary of a method."""


def completion_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return the one table of this kind: a row for each condition that was trained both ways."""
    shown = exhibited.shown
    rows: list[Row] = []
    for series in shown:
        label = line_label(line_of(series), shown)
        for cell in _completed_cells(series):
            entries = [entry for task in TASKS for entry in _task_entries(series, cell, task)]
            entries += [
                _difference(series, cell, _not_completed(cell), "both"),
                _difference(series, cell, _discarded(series, cell), "both"),
                _recovered(series, cell),
            ]
            labels = (label, series.dataset, _not_completed(cell).title)
            rows.append(Row(labels, "ours", tuple(entries), series.method))
    columns = (
        *((TASK_TITLES[task], title) for task in TASKS for title in ("not completed", "completed", "change")),
        ("both", "change"),
        ("both", "against discarding"),
        ("both", "recovered, %"),
    )
    remarks = (
        run_remarks(shown)[0],
        "Not completed: missing items are zeros, or are left out where the method's option says so.",
        "Change: mAP completed minus not completed; against discarding: minus mAP with as many discarded.",
        "Both: mean of the two tasks. Recovered: the change as a share of the mAP lost without completion.",
        significance_remark(shown),
        *(_summary(line, shown) for line in table_lines(shown)),
    )
    labels = ("method", "data", "condition")
    return [PaperTable(exhibited.name, exhibited.experiment.title, labels, columns, tuple(rows), (), remarks)]


def _completed_cells(series: Series) -> list[Cell]:
    """Completed cells whose counterpart was run too, by scheme and share."""
    cells = [cell for cell in series.cells if cell.completed and _not_completed(cell) in series.cells]
    return sorted(cells, key=lambda cell: (cell.unpaired_text > 0, cell.unpaired_images > 0, cell.percent))


def _not_completed(cell: Cell) -> Cell:
    return cell.model_copy(update={"completed": False})


def _discarded(series: Series, cell: Cell) -> Cell | None:
    """Discarding as many pairs, where it was run."""
    if cell.scheme.split()[0] not in UNPAIRED or cell.percent == 100:
        return None
    other = Cell.of("SD", cell.percent)
    return other if other in series.cells else None


def _mean(series: Series, cell: Cell, task: str) -> float:
    if task == "both":
        return fmean(series.scores[cell, one].mean for one in TASKS)
    return series.scores[cell, task].mean


def _task_entries(series: Series, cell: Cell, task: str) -> list[Entry]:
    return [
        *(score_entry(series, one, task) for one in (_not_completed(cell), cell)),
        _difference(series, cell, _not_completed(cell), task),
    ]


def _difference(series: Series, cell: Cell, other: Cell | None, task: str) -> Entry:
    if other is None:
        return Entry()
    value = _mean(series, cell, task) - _mean(series, other, task)
    mark = NOT_SIGNIFICANT if series.is_not_significant(cell, other, task) else ""
    return Entry(f"{value:+.3f}{mark}", value)


def _recovered(series: Series, cell: Cell) -> Entry:
    paired = Cell.of("paired")
    if paired not in series.cells:
        return Entry()
    lost = _mean(series, paired, "both") - _mean(series, _not_completed(cell), "both")
    if lost <= 0:
        return Entry()
    share = 100 * (_mean(series, cell, "both") - _mean(series, _not_completed(cell), "both")) / lost
    return Entry(f"{share:.0f}", share)


def _summary(line: Line, shown: Sequence[Series]) -> str:
    """How much a method gained over all conditions with a large share, and where least."""
    changes: dict[str, float] = {}
    discarded: dict[str, float] = {}
    for series in shown:
        if line_of(series) != line:
            continue
        for cell in _completed_cells(series):
            if cell.percent < LARGE_SHARE:
                continue
            where = f"{series.dataset} {_not_completed(cell).title}"
            own = _mean(series, cell, "both")
            changes[where] = own - _mean(series, _not_completed(cell), "both")
            other = _discarded(series, cell)
            if other is not None:
                discarded[where] = own - _mean(series, other, "both")
    label = line_label(line, shown)
    if not changes:
        return f"{label}: no condition of {LARGE_SHARE}% and more was trained both ways."
    text = f"{label}, {LARGE_SHARE}% and more: {_spread(changes)} against not completing"
    return f"{text}; {_spread(discarded)} against discarding." if discarded else f"{text}."


def _spread(changes: dict[str, float]) -> str:
    worst = min(changes, key=lambda where: changes[where])
    better = sum(value > 0 for value in changes.values())
    mean = fmean(changes.values())
    return (
        f"{mean:+.3f} on average, better in {better} of {len(changes)}, least {changes[worst]:+.3f} ({worst})"
    )
