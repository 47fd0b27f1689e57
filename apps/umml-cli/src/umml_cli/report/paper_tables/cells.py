"""The paper's tables from our runs, with the published number and the difference beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umml_cli.report.paper_tables.table import (
    BOLD_REMARK,
    CHANGE_REMARK,
    ROW_TITLES,
    Entry,
    Exhibited,
    PaperTable,
    Row,
    RowKind,
    best_values,
    change_entry,
    competition,
    database_remarks,
    difference_entry,
    line_label,
    line_of,
    published_remark,
    run_remarks,
    score_entry,
    table_lines,
)
from umml_cli.results.published import (
    BITS,
    maps_of,
)
from umml_cli.results.series import significance_remark
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from umml_cli.results.series import Series


def cells_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return the one table of this kind."""
    experiment = exhibited.experiment
    return [conditions_table(exhibited.name, experiment.title, exhibited.shown, experiment.grid())]


def conditions_table(
    name: str, title: str, shown: Sequence[Series], cells: Sequence[Cell] | None = None
) -> PaperTable:
    """Return a table with a column for each data set and cell.

    Args:
        name: of its files.
        title: above it.
        shown: the numbers.
        cells: in order; None: all that were run.
    """
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    cells = cells or list(dict.fromkeys(cell for series in shown for cell in series.cells))
    by_key = {(series.dataset, line_of(series)): series for series in shown}
    rows: list[Row] = []
    for task in TASKS:
        best = best_values(
            (competition(series, cell), score.mean)
            for series in shown for (cell, scored), score in series.scores.items() if scored == task
        )  # fmt: skip
        best_published = best_values(
            (competition(series, cell), value)
            for series in shown for (cell, scored), value in _published(series).items() if scored == task
        )  # fmt: skip
        for line in table_lines(shown):
            labels = (TASK_TITLES[task], line_label(line, shown))
            entries: dict[RowKind, list[Entry]] = {kind: [] for kind in ROW_TITLES}
            for dataset in datasets:
                series = by_key.get((dataset, line))
                for cell in cells:
                    made = _cell_entries(series, cell, task, best=best, best_published=best_published)
                    for kind, entry in made.items():
                        entries[kind].append(entry)
            method, _, bits = line
            rows += [
                Row(labels, kind, tuple(of_kind), method, bits) for kind, of_kind in entries.items()
                if kind == "ours" or any(entry.value is not None for entry in of_kind)
            ]  # fmt: skip
    columns = tuple((dataset, cell.title) for dataset in datasets for cell in cells)
    remarks = (
        *run_remarks(shown),
        *((CHANGE_REMARK,) if any(row.kind == "change" for row in rows) else ()),
        *((BOLD_REMARK,) if any(entry.bold for row in rows for entry in row.entries) else ()),
        significance_remark(shown),
        *database_remarks(shown),
        *published_remark(rows),
    )
    return PaperTable(name, title, ("task", "method"), columns, tuple(rows), remarks=remarks)


def _published(series: Series) -> Mapping[tuple[Cell, str], float]:
    return maps_of(series.printed_dataset, series.method) if series.bits == BITS else {}


def _cell_entries(
    series: Series | None,
    cell: Cell,
    task: str,
    *,
    best: Mapping[tuple[Any, ...], float],
    best_published: Mapping[tuple[Any, ...], float],
) -> dict[RowKind, Entry]:
    """Every kind of entry of one cell."""
    if series is None:
        return dict.fromkeys(ROW_TITLES, Entry())
    paired = Cell.of("paired")
    score, printed = series.scores.get((cell, task)), _published(series)
    known, base = printed.get((cell, task)), printed.get((paired, task))
    key = competition(series, cell)
    compared = score is not None and cell != paired and series.score("paired", 0, task) is not None
    return {
        "ours": score_entry(
            series, cell, task, bold=score is not None and key is not None and score.mean == best.get(key)
        ),
        "change": change_entry(
            series.change_percent(cell, task) if compared else None,
            not_significant=compared and series.is_not_significant(cell, paired, task),
        ),
        "published": Entry()
        if known is None
        else Entry(f"{known:.3f}", known, bold=key is not None and known == best_published.get(key)),
        "published change": change_entry(
            None if known is None or base is None or cell == paired else (known / base - 1) * 100
        ),
        "difference": difference_entry(score, known),
    }
