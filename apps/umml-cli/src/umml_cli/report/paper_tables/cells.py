"""The paper's tables from our runs, with the published number and the difference beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.table import (
    ROW_TITLES,
    Entry,
    Exhibited,
    PaperTable,
    Row,
    RowKind,
    change_entry,
    database_remarks,
    difference_entry,
    interval_text,
    line_label,
    published_remark,
    run_remarks,
    table_lines,
)
from umml_cli.results.published import (
    BITS,
    maps_of,
)
from umml_cli.runs.cells import Cell
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping


def cells_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return the one table of this kind."""
    name, experiment, shown = exhibited.name, exhibited.experiment, exhibited.shown
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    cells = experiment.grid()
    by_key = {(series.dataset, series.method, series.bits): series for series in shown}
    paired = Cell.of("paired")
    rows: list[Row] = []
    for task in TASKS:
        ours_best = _best_per_column(
            {key: {cell: score.mean for (cell, scored), score in series.scores.items() if scored == task}
             for key, series in by_key.items()}
        )  # fmt: skip
        published_best_here = _best_per_column(
            {
                key: {
                    cell: value
                    for (cell, scored), value in maps_of(series.printed_dataset, series.method).items()
                    if scored == task
                }
                for key, series in by_key.items()
            }
        )
        for method, bits in table_lines(shown):
            labels = (TASK_TITLES[task], line_label(method, bits, shown))
            entries: dict[RowKind, list[Entry]] = {kind: [] for kind in ROW_TITLES}
            for dataset in datasets:
                series = by_key.get((dataset, method, bits))
                printed = {}
                if series is not None and bits == BITS:
                    printed = maps_of(series.printed_dataset, method)
                for cell in cells:
                    score = None if series is None else series.scores.get((cell, task))
                    known = printed.get((cell, task))
                    base = printed.get((paired, task))
                    entries["ours"].append(
                        Entry() if score is None else Entry(
                            interval_text(score.mean, score.half_width), score.mean,
                            bold=score.mean == ours_best[dataset, cell],
                        )
                    )  # fmt: skip
                    entries["published"].append(
                        Entry() if known is None else Entry(
                            f"{known:.3f}", known, bold=known == published_best_here[dataset, cell]
                        )
                    )  # fmt: skip
                    entries["difference"].append(difference_entry(score, known))
                    has_change = series is not None and score is not None and cell != paired
                    change = series.change_percent(cell, task) if series and has_change else None
                    not_significant = (
                        change is not None
                        and series is not None
                        and series.is_not_significant(cell, paired, task)
                    )
                    entries["change"].append(change_entry(change, not_significant=not_significant))
                    entries["published change"].append(
                        change_entry(
                            None
                            if known is None or base is None or cell == paired
                            else (known / base - 1) * 100
                        )
                    )
            rows += [
                Row(labels, kind, tuple(of_kind), method, bits) for kind, of_kind in entries.items()
                if kind == "ours" or any(entry.value is not None for entry in of_kind)
            ]  # fmt: skip
    columns = tuple((dataset, cell.title) for dataset in datasets for cell in cells)
    return [
        PaperTable(
            name,
            experiment.title,
            ("task", "method"),
            columns,
            tuple(rows),
            remarks=(*run_remarks(shown), *database_remarks(shown), *published_remark(rows)),
        )
    ]


def _best_per_column(
    maps: Mapping[tuple[str, str, int], Mapping[Cell, float]],
) -> dict[tuple[str, Cell], float]:
    """(data set, cell) to the highest mAP of any method; NaN where only one method was run."""
    found: dict[tuple[str, Cell], list[float]] = {}
    for (dataset, _, _), values in maps.items():
        for cell, value in values.items():
            found.setdefault((dataset, cell), []).append(value)
    return {column: max(values) if len(values) > 1 else float("nan") for column, values in found.items()}
