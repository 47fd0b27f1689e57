"""A table in the paper's layout, and what all of its kinds share."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from umml_cli.results.published import PRINTED, UNCHECKED_LABELS
from umml_cli.terms import (
    DATABASE_REMARK,
    NOT_SIGNIFICANT,
    SELECTION_TITLES,
    SPREAD_TITLES,
    split_label,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from umml_cli.grid.experiment import Experiment
    from umml_cli.results.series import Score, Series
    from umml_cli.runs.cells import Cell


PUBLISHED_REMARK = "n.s. of a difference: the published number lies inside the 95% CI over seeds."
BOLD_REMARK = "Bold: the best method of a column, among trained ones of the same code length and data."
CHANGE_REMARK = "Change, in percent: 100 · (mAP / mAP paired − 1)."
ABSENT = "-"

RowKind = Literal["ours", "published", "difference", "change", "published change"]
ROW_TITLES: dict[RowKind, str] = {
    "ours": "reproduced",
    "change": "change (%)",
    "published": "published",
    "published change": "change (%), published",
    "difference": "difference",
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
    """One line: what it is about, its kind of number, its entries, its method and code length if any."""

    labels: tuple[str, ...]
    kind: RowKind
    entries: tuple[Entry, ...]
    method: str = ""
    bits: int = 0


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

    def row_title(self, kind: RowKind) -> str:
        """What a kind of row is called: "reproduced" beside published numbers, else "mAP"."""
        published = any(row.kind == "published" for row in self.rows)
        return "mAP" if kind == "ours" and not published else ROW_TITLES[kind]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings above the columns, and how many columns each spans."""
        return [
            (group, len(list(members))) for group, members in groupby(self.columns, lambda column: column[0])
        ]


@dataclass(frozen=True)
class Exhibited:
    """What a table is made of.

    Args:
        name: the experiment's name.
        experiment: what to show.
        shown: the numbers of its data sets, methods and code lengths.
        label_names: data set to the names of its labels.
    """

    name: str
    experiment: Experiment
    shown: Sequence[Series]
    label_names: Mapping[str, Sequence[str]]


def one_of(name: str, series: Series, shown: Sequence[Series]) -> str:
    """Name of an exhibit that each series has its own of."""
    return name if len(shown) == 1 else f"{name}-{series.dataset}-{series.method}-{series.bits}"


def run_remarks(shown: Sequence[Series]) -> tuple[str, ...]:
    """Say what the numbers are, and what the published ones are or why there are none."""
    seeds = sorted({score.seeds for series in shown for score in series.scores.values()})
    if seeds[-1] > 1:
        *fewer, most = map(str, seeds)
        number = f"{', '.join(fewer)} or {most}" if fewer else most
        counted = f"mean over {number} seeds ± {SPREAD_TITLES[shown[0].spread]}"
    else:
        counted = "1 seed"
    said = [f"mAP: {SELECTION_TITLES[shown[0].selection]}; {counted}."]
    if any(series.printed_dataset in PRINTED for series in shown):
        said.append("Published: one run, the best epoch on the test queries.")
    remarks = [remark for series in shown for remark in (unchecked(series), without_published(series))]
    return (*said, *dict.fromkeys(filter(None, remarks)))


def unchecked(series: Series) -> str:
    """That the labels beside published numbers are not known to be the published ones; else ""."""
    if series.printed_dataset not in UNCHECKED_LABELS:
        return ""
    return (
        f"{series.dataset}: these data have the sizes of the published ones; whether the labels are the same "
        "could not be checked, as no digest of those is known."
    )


def without_published(series: Series) -> str:
    """Why no published number stands beside data with the name of a published set; "" for other names."""
    if series.dataset not in PRINTED or series.printed_dataset:
        return ""
    if any(result.specification.validation for result in series.results):
        reason = "the queries are rows that were held out of training"
    else:
        reason = "by its sizes and labels it is not the published data"
    return f"No published numbers beside {series.dataset}: {reason}."


def database_remarks(shown: Sequence[Series]) -> tuple[str, ...]:
    """Say what an encoded and a learned database are, and where a learned one holds encoded codes too."""
    if not any(split_label(series.method)[1] for series in shown):
        return ()
    partly: dict[str, dict[str, None]] = {}  # method and data set to what is said of its cells, in order
    for series in shown:
        for result in series.results:
            counts = (result.database or {}).items()
            learned = [
                f"{one.get('learned', 0)} of {sum(one.values())} {side}s"
                for side, one in counts if one.get("learned", 0) < sum(one.values())
            ]  # fmt: skip
            if learned:
                said = f"{result.specification.cell.title} {' and '.join(learned)}"
                partly.setdefault(f"{series.method_title} on {series.dataset}", {})[said] = None
    alike: dict[tuple[str, ...], list[str]] = {}
    for where, cells in partly.items():
        alike.setdefault(tuple(cells), []).append(where)
    return (
        DATABASE_REMARK,
        *(
            f"{', '.join(where)}: some of the ranked items have learned codes, {'; '.join(cells)}; the "
            "others were not training items and are encoded."
            for cells, where in alike.items()
        ),
    )


def difference_entry(score: Score | None, published: float | None) -> Entry:
    """Ours minus published; not significant where the published number lies in our interval."""
    if score is None or published is None:
        return Entry()
    value = score.mean - published
    not_significant = score.half_width is not None and abs(value) < score.half_width
    return Entry(f"{value:+.3f}{NOT_SIGNIFICANT if not_significant else ''}", value)


def published_remark(rows: Sequence[Row]) -> tuple[str, ...]:
    """Say what the mark of a difference means, where there is one."""
    marked = any(
        NOT_SIGNIFICANT in entry.text for row in rows if row.kind == "difference" for entry in row.entries
    )
    return (PUBLISHED_REMARK,) if marked else ()


def change_entry(value: float | None, *, not_significant: bool = False) -> Entry:
    """Change in percent, with its mark."""
    return (
        Entry()
        if value is None
        else Entry(f"{value:+.1f}{NOT_SIGNIFICANT if not_significant else ''}", value)
    )


Line = tuple[str, str, int]
"""Method, variant and code length: what a line of a table is about."""


def line_of(series: Series) -> Line:
    """The line of a table that a series stands in."""
    return (series.method, series.variant, series.bits)


def table_lines(shown: Sequence[Series]) -> list[Line]:
    """The lines of a table, in order."""
    return list(dict.fromkeys(map(line_of, shown)))


def line_label(line: Line, shown: Sequence[Series]) -> str:
    """The method, its variant if it has one, and its code length where the table has several."""
    method, variant, bits = line
    several = len({series.bits for series in shown}) > 1
    title = next(series.method_title for series in shown if series.method == method)
    return f"{title}{f' ({variant})' if variant else ''}{f' {bits} bits' if several else ''}"


def score_entry(series: Series | None, cell: Cell, task: str, *, bold: bool = False) -> Entry:
    """The mAP of a cell and its spread; open where it was not run."""
    score = None if series is None else series.scores.get((cell, task))
    if series is None or score is None:
        return Entry()
    return Entry(score.text(series.spread), score.mean, bold=bold)


def competition(series: Series, cell: Cell) -> tuple[Any, ...] | None:
    """What methods have in common where the best of them is marked; None for an untrained network.

    Code length, data, training condition, and whether the database's own labels were known.
    """
    if not cell.trained:
        return None
    data = {(one.specification.data_digest, one.specification.validation) for one in series.results}
    return (series.dataset, tuple(sorted(data)), series.bits, cell, is_learned(series.method))


def is_learned(label: str) -> bool:
    """Whether a method ranks codes that training made from the ranked items' own labels."""
    return split_label(label)[1] == "learned"


def best_values(values: Iterable[tuple[tuple[Any, ...] | None, float]]) -> dict[tuple[Any, ...], float]:
    """The highest value of each competition that has two entrants or more.

    Args:
        values: competition, None for none, and value of each entrant.
    """
    found: dict[tuple[Any, ...], list[float]] = {}
    for key, value in values:
        if key is not None:
            found.setdefault(key, []).append(value)
    return {key: max(those) for key, those in found.items() if len(those) > 1}


def plain_entry(value: float | None) -> Entry:
    """An mAP as printed."""
    return Entry() if value is None else Entry(f"{value:.3f}", value)
