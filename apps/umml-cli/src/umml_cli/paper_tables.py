"""The paper's tables from our runs, with the published number and the difference beside each."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from umml_cli.cells import Cell
from umml_cli.codes import RunCodes
from umml_cli.published import (
    BITS,
    BestScheme,
    inconsistent_best,
    maps_of,
    published_best,
    published_classes,
    published_unpaired,
    rivals,
)
from umml_cli.results import SELECTION_TITLES, discarded_cell
from umml_cli.store import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from umml_cli.experiment import Experiment
    from umml_cli.results import Score, Series

TASK_TITLES = {"i2t": "image → text", "t2i": "text → image", "both": "both"}
NOISE = "≈"
NOISE_REMARK = (
    f"{NOISE} marks a difference inside the noise of queries and seeds: its 95 % interval holds zero."
)
PUBLISHED_REMARK = f"{NOISE} of a difference: the published number lies inside our 95 % interval over seeds."
ABSENT = "-"

RowKind = Literal["ours", "published", "difference", "change", "published change"]
ROW_TITLES: dict[RowKind, str] = {
    "ours": "ours",
    "published": "published",
    "difference": "difference",
    "change": "ours, change %",
    "published change": "published, change %",
}


@dataclass(frozen=True)
class Entry:
    """One entry of a table.

    Args:
        text: what is printed.
        value: the number to sort by.
        bold: the best of its column, as the paper marks it.
        note: number of a footnote.
    """

    text: str = ABSENT
    value: float | None = None
    bold: bool = False
    note: int | None = None


@dataclass(frozen=True)
class Row:
    """One line: what it is about, its kind of number, its entries, and its method where it has one."""

    labels: tuple[str, ...]
    kind: RowKind
    entries: tuple[Entry, ...]
    method: str = ""


@dataclass(frozen=True)
class PaperTable:
    """A table in the paper's layout.

    Args:
        name: name of the experiment, and of its files.
        title: above the table.
        label_titles: titles of the leading columns.
        columns: (group, title) of the columns with numbers; equal neighbouring groups share one heading.
        rows: lines in order.
        notes: footnotes; `Entry.note` counts them from 1.
        remarks: what else is said below.
    """

    name: str
    title: str
    label_titles: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings above the columns, and how many columns each spans."""
        return [
            (group, len(list(members))) for group, members in groupby(self.columns, lambda column: column[0])
        ]


def paper_tables(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    *,
    label_names: Mapping[str, Sequence[str]],
) -> list[PaperTable]:
    """The tables of an experiment; cells that are not run yet stay open.

    Args:
        name: the experiment's name.
        experiment: what to show.
        all_series: the numbers; those of other data sets, methods and code lengths are left out.
        label_names: data set to the names of its labels.
    """
    shown = experiment.shown(all_series)
    if not shown:
        return []
    match experiment.table:
        case "cells":
            return [_cells_table(name, experiment, shown)]
        case "best":
            return [_best_table(name, experiment, shown)]
        case "unpaired":
            return [_unpaired_table(name, experiment, shown)]
        case "classes":
            return [
                _class_table(
                    one_of(name, series, shown), experiment, series, label_names.get(series.dataset, ())
                )
                for series in shown
            ]
        case None:
            return []


def one_of(name: str, series: Series, shown: Sequence[Series]) -> str:
    """Name of an exhibit that each series has its own of."""
    return name if len(shown) == 1 else f"{name}-{series.dataset}-{series.method}-{series.bits}"


def _remarks(shown: Sequence[Series]) -> tuple[str, ...]:
    seeds = sorted({score.seeds for series in shown for score in series.scores.values()})
    spread = " ± half of the 95 % interval over seeds (Student's t)." if seeds[-1] > 1 else ""
    return (
        f"Ours: {SELECTION_TITLES[shown[0].selection]}; {' or '.join(map(str, seeds))} seed(s).{spread}",
        "Published: one run, the best epoch on the test queries.",
        "Change: (mAP / mAP paired - 1) * 100. Bold: the best method of a column.",
        NOISE_REMARK,
    )


def _difference(score: Score | None, published: float | None) -> Entry:
    """Ours minus published; inside the noise where the published number lies in our interval."""
    if score is None or published is None:
        return Entry()
    value = score.mean - published
    noise = score.half_width is not None and abs(value) < score.half_width
    return Entry(f"{value:+.3f}{NOISE if noise else ''}", value)


def _published_remark(rows: Sequence[Row]) -> tuple[str, ...]:
    marked = any(NOISE in entry.text for row in rows if row.kind == "difference" for entry in row.entries)
    return (PUBLISHED_REMARK,) if marked else ()


def _change(value: float | None, *, noise: bool = False) -> Entry:
    return Entry() if value is None else Entry(f"{value:+.1f}{NOISE if noise else ''}", value)


def _lines(shown: Sequence[Series]) -> list[tuple[str, int]]:
    """(method, bits): the lines of a table, in order."""
    return list(dict.fromkeys((series.method, series.bits) for series in shown))


def _line_label(method: str, bits: int, shown: Sequence[Series]) -> str:
    several = len({series.bits for series in shown}) > 1
    return f"{method.upper()} {bits} bits" if several else method.upper()


def _cells_table(name: str, experiment: Experiment, shown: Sequence[Series]) -> PaperTable:
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    cells = experiment.grid()
    by_key = {(series.dataset, series.method, series.bits): series for series in shown}
    paired = Cell.of("paired")
    rows: list[Row] = []
    for task in TASKS:
        ours_best = _best_per_column(
            {key: {cell: score.mean for (cell, of), score in series.scores.items() if of == task}
             for key, series in by_key.items()}
        )  # fmt: skip
        published_best_here = _best_per_column(
            {
                key: {cell: value for (cell, of), value in maps_of(*key[:2]).items() if of == task}
                for key in by_key
            }
        )
        for method, bits in _lines(shown):
            labels = (TASK_TITLES[task], _line_label(method, bits, shown))
            entries: dict[RowKind, list[Entry]] = {kind: [] for kind in ROW_TITLES}
            for dataset in datasets:
                series = by_key.get((dataset, method, bits))
                printed = maps_of(dataset, method) if bits == BITS else {}
                for cell in cells:
                    score = None if series is None else series.scores.get((cell, task))
                    known = printed.get((cell, task))
                    base = printed.get((paired, task))
                    entries["ours"].append(
                        Entry() if score is None else Entry(
                            _interval(score.mean, score.half_width), score.mean,
                            bold=score.mean == ours_best[dataset, cell],
                        )
                    )  # fmt: skip
                    entries["published"].append(
                        Entry() if known is None else Entry(
                            f"{known:.3f}", known, bold=known == published_best_here[dataset, cell]
                        )
                    )  # fmt: skip
                    entries["difference"].append(_difference(score, known))
                    has_change = series is not None and score is not None and cell != paired
                    change = series.change_percent(cell, task) if series and has_change else None
                    noise = change is not None and series is not None and series.is_noise(cell, paired, task)
                    entries["change"].append(_change(change, noise=noise))
                    entries["published change"].append(
                        _change(
                            None
                            if known is None or base is None or cell == paired
                            else (known / base - 1) * 100
                        )
                    )
            rows += [
                Row(labels, kind, tuple(of_kind), method) for kind, of_kind in entries.items()
                if kind == "ours" or any(entry.value is not None for entry in of_kind)
            ]  # fmt: skip
    columns = tuple((dataset, cell.title) for dataset in datasets for cell in cells)
    return PaperTable(
        name,
        experiment.title,
        ("task", "method"),
        columns,
        tuple(rows),
        remarks=(*_remarks(shown), *_published_remark(rows)),
    )


def _best_per_column(
    maps: Mapping[tuple[str, str, int], Mapping[Cell, float]],
) -> dict[tuple[str, Cell], float]:
    """(data set, cell) to the highest mAP of any method; NaN where only one method was run."""
    found: dict[tuple[str, Cell], list[float]] = {}
    for (dataset, _, _), values in maps.items():
        for cell, value in values.items():
            found.setdefault((dataset, cell), []).append(value)
    return {column: max(values) if len(values) > 1 else float("nan") for column, values in found.items()}


def _interval(mean: float, half: float | None) -> str:
    return f"{mean:.3f}" if half is None else f"{mean:.3f} ±{half:.3f}"


def _best_table(name: str, experiment: Experiment, shown: Sequence[Series]) -> PaperTable:
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    percents = sorted({cell.percent for cell in experiment.grid() if cell.percent > 0})
    by_key = {(series.dataset, series.method, series.bits): series for series in shown}
    rows: list[Row] = []
    notes: list[str] = []
    for task in (*TASKS, "both"):
        for method, bits in _lines(shown):
            ours, printed = [], []
            for dataset in datasets:
                for percent in percents:
                    ours.append(_best_entry(by_key.get((dataset, method, bits)), percent, task))
                    key = (dataset, method, percent, task)
                    known = published_best().get(key) if bits == BITS else None
                    note = None
                    if key in inconsistent_best() and known is not None:
                        notes.append(
                            f"printed {known}; the paper's Tables 3 to 6 give {inconsistent_best()[key]}"
                        )
                        note = len(notes)
                    printed.append(Entry() if known is None else Entry(str(known), known.gain, note=note))
            labels = (TASK_TITLES[task], _line_label(method, bits, shown))
            rows.append(Row(labels, "ours", tuple(ours), method))
            if any(entry.text != ABSENT for entry in printed):
                rows.append(Row(labels, "published", tuple(printed), method))
    columns = tuple((dataset, f"{percent:g} %") for dataset in datasets for percent in percents)
    remarks = (
        *_remarks(shown)[:2],
        "The best of UI, UT, UIT and SD at each share, and its gain over SD in percent.",
        "At 100 % the gain is that over the untrained network.",
        NOISE_REMARK,
    )
    return PaperTable(name, experiment.title, ("task", "method"), columns, tuple(rows), tuple(notes), remarks)


def _best_entry(series: Series | None, percent: float, task: str) -> Entry:
    maps = (
        None
        if series is None
        else rivals({key: score.mean for key, score in series.scores.items()}, percent, task)
    )
    if series is None or maps is None:
        return Entry()
    best = BestScheme.among(maps)
    noise = best.gain is not None and series.is_noise(
        Cell.of(best.scheme, percent), discarded_cell(percent), task
    )
    return Entry(f"{best}{NOISE if noise else ''}", best.gain or 0.0)


def _unpaired_table(name: str, experiment: Experiment, shown: Sequence[Series]) -> PaperTable:
    datasets = list(dict.fromkeys(series.dataset for series in shown))
    by_key = {(series.dataset, series.method, series.bits): series for series in shown}
    columns = [(dataset, task) for dataset in datasets for task in TASKS]
    cell = Cell.of("UIT", 100)
    printed = published_unpaired()
    rows: list[Row] = []
    others = dict.fromkeys(
        method for method, dataset, _ in printed if "+" not in method and dataset in datasets
    )
    for method in others:
        values = [printed.get((method, *column)) for column in columns]
        rows.append(Row((method.upper(),), "published", tuple(_plain(value) for value in values)))
    for method, bits in _lines(shown):
        label = (f"{_line_label(method, bits, shown)} + UMML",)
        ours, known, difference = [], [], []
        for dataset, task in columns:
            series = by_key.get((dataset, method, bits))
            score = None if series is None else series.scores.get((cell, task))
            value = printed.get((f"{method}+umml", dataset, task)) if bits == BITS else None
            ours.append(
                Entry() if score is None else Entry(_interval(score.mean, score.half_width), score.mean)
            )
            known.append(_plain(value))
            difference.append(_difference(score, value))
        rows.append(Row(label, "ours", tuple(ours), method))
        if any(entry.value is not None for entry in known):
            rows += [
                Row(label, "published", tuple(known), method),
                Row(label, "difference", tuple(difference), method),
            ]
    titles = tuple((dataset, TASK_TITLES[task]) for dataset, task in columns)
    remarks = (
        *_remarks(shown)[:2],
        "Ours: 50 % of the images without text and 50 % of the texts without image, so that no pair is left.",
        *_published_remark(rows),
    )
    return PaperTable(name, experiment.title, ("method",), titles, tuple(rows), remarks=remarks)


def _plain(value: float | None) -> Entry:
    return Entry() if value is None else Entry(f"{value:.3f}", value)


@dataclass(frozen=True)
class ClassScores:
    """MAP by class: each cell and task to `(n_label,)`, NaN for a class that no query carries."""

    names: Sequence[str]
    queries: Sequence[int]
    relevant: Sequence[int]
    maps: Mapping[tuple[Cell, str], np.ndarray[tuple[int], np.dtype[np.float64]]]

    def change(self, cell: Cell, task: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """`(n_label,)` change against paired training in percent."""
        return (self.maps[cell, task] / self.maps[Cell.of("paired"), task] - 1) * 100


def class_scores(series: Series, cells: Sequence[Cell], names: Sequence[str]) -> ClassScores:
    """MAP over the queries that carry each class; an item is relevant if any label is shared."""
    assert series.store is not None
    codes = RunCodes.load(series.store.folder(series.results[0].specification).codes)
    labels = codes.query_labels.astype(np.float64)  # (n_query, n_label)
    queries = labels.sum(axis=0)
    with np.errstate(invalid="ignore"):
        maps = {
            (cell, task): series.precision(cell, task).mean(axis=0) @ labels / queries
            for cell in cells if (cell, "i2t") in series.scores
            for task in TASKS
        }  # fmt: skip
    n_label = labels.shape[1]
    names = list(names) or [f"label {label}" for label in range(n_label)]
    relevant = codes.retrieval_labels.sum(axis=0, dtype=np.int64)
    return ClassScores(names, queries.astype(int).tolist(), relevant.tolist(), maps)


def _class_table(name: str, experiment: Experiment, series: Series, names: Sequence[str]) -> PaperTable:
    cells = experiment.grid()
    scores = class_scores(series, cells, names)
    changed = [cell for cell in cells if cell.percent]
    is_papers = (series.dataset, series.method, series.bits) == ("mirflickr25k", "dadh", BITS)
    columns: list[tuple[str, str]] = [("", "queries"), ("", "relevant")]
    numbers: list[tuple[Callable[[int], float | None], str, int]] = []  # by class, printed column, digits
    for cell in cells:
        for task in TASKS:
            columns.append((cell.title, TASK_TITLES[task]))
            printed = f"{cell.scheme}{cell.percent:g}_{task}" if cell.percent else f"{cell.scheme}_{task}"
            numbers.append((_reader(scores.maps.get((cell, task))), printed, 3))
    for cell in changed:
        for task in TASKS:
            columns.append((f"{cell.title}, change %", TASK_TITLES[task]))
            known = all(key in scores.maps for key in ((cell, task), (Cell.of("paired"), task)))
            numbers.append(
                (_reader(scores.change(cell, task) if known else None), f"d{cell.scheme}_{task}%", 2)
            )
    rows = []
    for label, title in enumerate(scores.names):
        counts = (scores.queries[label], scores.relevant[label])
        row = [Entry(str(count), float(count)) for count in counts]
        row += [_number(read(label), digits) for read, _, digits in numbers]
        rows.append(Row((title,), "ours", tuple(row), series.method))
        printed_row = published_classes().get(title.lower()) if is_papers else None
        if printed_row is not None:
            values = [float(printed_row[column]) for column in ("queries", "relevant")]
            row = [Entry(f"{value:g}", value) for value in values]
            row += [
                _number(float(printed_row[column]) if column in printed_row else None, digits)
                for _, column, digits in numbers
            ]
            rows.append(Row((title,), "published", tuple(row), series.method))
    remarks = (
        f"{series.method.upper()} on {series.dataset}, {series.bits} bits, mean over seeds.",
        f"Ours: {SELECTION_TITLES[series.selection]}.",
        "The mean runs over the queries that carry a class; any shared label makes an item relevant.",
    )
    return PaperTable(name, experiment.title, ("class",), tuple(columns), tuple(rows), remarks=remarks)


def _reader(values: np.ndarray[tuple[int], np.dtype[np.float64]] | None) -> Callable[[int], float | None]:
    return lambda label: None if values is None or np.isnan(values[label]) else float(values[label])


def _number(value: float | None, digits: int) -> Entry:
    return Entry() if value is None else Entry(f"{value:.{digits}f}", value)
