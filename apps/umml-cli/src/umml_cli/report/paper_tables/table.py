"""A table in the paper's layout, and what all of its kinds share."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from umml_cli.results.published import PRINTED
from umml_cli.terms import (
    DATABASE_REMARK,
    NOT_SIGNIFICANT,
    SELECTION_TITLES,
    SIGNIFICANCE_REMARK,
    method_title,
    split_label,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from umml_cli.grid.experiment import Experiment
    from umml_cli.results.series import Score, Series


PUBLISHED_REMARK = (
    f"{NOT_SIGNIFICANT} of a difference: the published number lies inside our 95% CI over seeds."
)
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
    """Say what ours and the published numbers are."""
    seeds = sorted({score.seeds for series in shown for score in series.scores.values()})
    counted = f"{' or '.join(map(str, seeds))} seed{'s' if seeds[-1] > 1 else ''}"
    spread = " ±: 95% CI over seeds (Student's t)." if seeds[-1] > 1 else ""
    missing = [
        f"None beside {name}: by its sizes and labels it is not the published data."
        for name in dict.fromkeys(
            series.dataset for series in shown if series.dataset in PRINTED and not series.printed_dataset
        )
    ]
    published = ["Published: one run, the best epoch on the test queries."]
    if not any(series.printed_dataset in PRINTED for series in shown):
        published = []
    said = " ".join([*published, *missing])
    return (
        f"Ours: {SELECTION_TITLES[shown[0].selection]}; {counted}.{spread}",
        *([said] if said else []),
        "Change: (mAP / mAP paired - 1) * 100. Bold: the best method of a column.",
        SIGNIFICANCE_REMARK,
    )


def database_remarks(shown: Sequence[Series]) -> tuple[str, ...]:
    """Say what an encoded and a learned database are, and where a learned one holds encoded codes too."""
    if not any(split_label(series.method)[1] for series in shown):
        return ()
    said = {}
    for series in shown:
        for result in series.results:
            for side, counts in (result.database or {}).items():
                learned, ranked = counts.get("learned", 0), sum(counts.values())
                if learned < ranked:
                    cell = result.specification.cell.title
                    said[series.method, series.dataset, cell, side] = (
                        f"{method_title(series.method)} on {series.dataset}, {cell}: {learned} of {ranked} "
                        f"ranked {side}s have learned codes, the others were no training items and "
                        "are encoded."
                    )
    return (DATABASE_REMARK, *said.values())


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


def table_lines(shown: Sequence[Series]) -> list[tuple[str, int]]:
    """(method, bits): the lines of a table, in order."""
    return list(dict.fromkeys((series.method, series.bits) for series in shown))


def line_label(method: str, bits: int, shown: Sequence[Series]) -> str:
    """The method, and its code length where the table has several."""
    several = len({series.bits for series in shown}) > 1
    return f"{method_title(method)} {bits} bits" if several else method_title(method)


def interval_text(mean: float, half: float | None) -> str:
    """A mean and half of its interval."""
    return f"{mean:.3f}" if half is None else f"{mean:.3f} ±{half:.3f}"


def plain_entry(value: float | None) -> Entry:
    """An mAP as printed."""
    return Entry() if value is None else Entry(f"{value:.3f}", value)
