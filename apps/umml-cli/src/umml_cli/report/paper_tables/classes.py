"""MAP by class (UMML paper, Table 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from umml_cli.report.paper_tables.table import (
    Entry,
    Exhibited,
    PaperTable,
    Row,
    database_remarks,
    one_of,
)
from umml_cli.results.class_scores import class_scores
from umml_cli.results.published import (
    BITS,
    published_classes,
)
from umml_cli.runs.cells import Cell
from umml_cli.terms import SELECTION_TITLES, TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from umml_cli.grid.experiment import Experiment
    from umml_cli.results.series import Series


def class_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return a table for each series."""
    return [
        _class_table(
            one_of(exhibited.name, series, exhibited.shown),
            exhibited.experiment,
            series,
            exhibited.label_names.get(series.dataset, ()),
            alone=len(exhibited.shown) == 1,
        )
        for series in exhibited.shown
    ]


def _class_table(
    name: str, experiment: Experiment, series: Series, names: Sequence[str], *, alone: bool
) -> PaperTable:
    cells = experiment.grid()
    scores = class_scores(series, cells, names)
    changed = [cell for cell in cells if cell.percent]
    is_papers = (series.printed_dataset, series.method, series.bits) == ("mirflickr25k", "dadh", BITS)
    columns: list[tuple[str, str]] = [("", "queries"), ("", "relevant")]
    numbers: list[tuple[Callable[[int], float | None], str, int]] = []  # by class, printed column, digits
    for cell in cells:
        for task in TASKS:
            columns.append((cell.title, TASK_TITLES[task]))
            printed = f"{cell.scheme}{cell.percent:g}_{task}" if cell.percent else f"{cell.scheme}_{task}"
            numbers.append((_reader(scores.maps.get((cell, task))), printed, 3))
    for cell in changed:
        for task in TASKS:
            columns.append((f"{cell.title}, change (%)", TASK_TITLES[task]))
            known = all(key in scores.maps for key in ((cell, task), (Cell.of("paired"), task)))
            numbers.append(
                (_reader(scores.change(cell, task) if known else None), f"d{cell.scheme}_{task}%", 2)
            )
    rows = []
    for label, title in enumerate(scores.names):
        counts = (scores.queries[label], scores.relevant[label])
        row = [Entry(str(count), float(count)) for count in counts]
        row += [_number(read(label), digits) for read, _, digits in numbers]
        rows.append(Row((title,), "ours", tuple(row), series.method, series.bits))
        printed_row = published_classes().get(title.lower()) if is_papers else None
        if printed_row is not None:
            values = [float(printed_row[column]) for column in ("queries", "relevant")]
            row = [Entry(f"{value:g}", value) for value in values]
            row += [
                _number(float(printed_row[column]) if column in printed_row else None, digits)
                for _, column, digits in numbers
            ]
            rows.append(Row((title,), "published", tuple(row), series.method, series.bits))
    remarks = (
        f"{series.title}: mAP, mean over seeds; {SELECTION_TITLES[series.selection]}.",
        "The mean runs over the queries that carry a class; any shared label makes an item relevant.",
        *database_remarks([series]),
    )
    title = experiment.title if alone else f"{experiment.title}: {series.title}"
    return PaperTable(name, title, ("class",), tuple(columns), tuple(rows), remarks=remarks)


def _reader(values: np.ndarray[tuple[int], np.dtype[np.float64]] | None) -> Callable[[int], float | None]:
    return lambda label: None if values is None or np.isnan(values[label]) else float(values[label])


def _number(value: float | None, digits: int) -> Entry:
    return Entry() if value is None else Entry(f"{value:.{digits}f}", value)
