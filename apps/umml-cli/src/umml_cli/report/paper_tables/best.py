"""The best scheme of each share of unpaired samples (UMML paper, Table 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.table import (
    ABSENT,
    Entry,
    Exhibited,
    PaperTable,
    Row,
    database_remarks,
    line_label,
    line_of,
    run_remarks,
    table_lines,
)
from umml_cli.results.published import (
    BITS,
    BestScheme,
    inconsistent_best,
    published_best,
    rivals,
)
from umml_cli.results.series import discarded_cell, significance_remark
from umml_cli.runs.cells import Cell
from umml_cli.terms import NOT_SIGNIFICANT, TASK_TITLES, TASKS

if TYPE_CHECKING:
    from umml_cli.results.series import Series


def best_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return the one table of this kind."""
    name, experiment, shown = exhibited.name, exhibited.experiment, exhibited.shown
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    percents = sorted({cell.percent for cell in experiment.grid() if cell.percent > 0})
    by_key = {(series.dataset, line_of(series)): series for series in shown}
    rows: list[Row] = []
    notes: list[str] = []
    for task in (*TASKS, "both"):
        for line in table_lines(shown):
            method, _, bits = line
            ours, printed = [], []
            for dataset in datasets:
                for percent in percents:
                    series = by_key.get((dataset, line))
                    ours.append(_best_entry(series, percent, task))
                    key = ("" if series is None else series.printed_dataset, method, percent, task)
                    known = published_best().get(key) if bits == BITS else None
                    note = None
                    if key in inconsistent_best() and known is not None:
                        notes.append(
                            f"printed {known}; the paper's Tables 3 to 6 give {inconsistent_best()[key]}"
                        )
                        note = len(notes)
                    printed.append(Entry() if known is None else Entry(str(known), known.gain, note=note))
            labels = (TASK_TITLES[task], line_label(line, shown))
            rows.append(Row(labels, "ours", tuple(ours), method, bits))
            if any(entry.text != ABSENT for entry in printed):
                rows.append(Row(labels, "published", tuple(printed), method, bits))
    columns = tuple((dataset, f"{percent:g}%") for dataset in datasets for percent in percents)
    remarks = (
        *run_remarks(shown),
        "The best of UI, UT, UIT and SD at each share, and its gain over SD in percent.",
        "At 100% the gain is that over the untrained network.",
        significance_remark(shown),
        *database_remarks(shown),
    )
    return [
        PaperTable(name, experiment.title, ("task", "method"), columns, tuple(rows), tuple(notes), remarks)
    ]


def _best_entry(series: Series | None, percent: float, task: str) -> Entry:
    maps = (
        None
        if series is None
        else rivals({key: score.mean for key, score in series.scores.items()}, percent, task)
    )
    if series is None or maps is None:
        return Entry()
    best = BestScheme.among(maps)
    not_significant = best.gain is not None and series.is_not_significant(
        Cell.of(best.scheme, percent), discarded_cell(percent), task
    )
    return Entry(f"{best}{NOT_SIGNIFICANT if not_significant else ''}", best.gain or 0.0)
