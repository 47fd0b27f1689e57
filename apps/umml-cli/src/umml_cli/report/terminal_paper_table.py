"""A table in the paper's layout for the terminal, whatever its width."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from umml_cli.report.column_blocks import column_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from umml_cli.report.paper_tables.table import PaperTable, Row

SHOWN = ("ours", "published")
"""Kinds of rows that the terminal shows; changes and differences stand in the files."""

LONGEST_LABEL = 28
SHORT_TITLE = 10
GAP = 3  # between columns: padding of two, and rich's divider


def print_tables(console: Console, tables: Iterable[PaperTable]) -> None:
    """Print tables, and below each what its numbers are; changes and differences stand in the files."""
    for table in tables:
        for part in terminal_tables(table, console.width):
            console.print(part)
            console.print()
        console.print(" ".join(table.remarks[:2]), soft_wrap=False)
        console.print()


def terminal_tables(table: PaperTable, width: int) -> list[Table]:
    """Return rich tables of at most `width` columns: one for each task and for each block of columns.

    Args:
        table: what is shown; of its rows those of the kinds `SHOWN`.
        width: of the terminal, in characters.
    """
    rows = [row for row in table.rows if row.kind in SHOWN]
    in_sections = len(table.label_titles) > 1
    sections = groupby(rows, key=lambda row: row.labels[0] if in_sections else "")
    found = [made for section, members in sections for made in _blocks(table, section, list(members), width)]
    if found:
        found[0].title = table.title if not found[0].title else f"{table.title}\n{found[0].title}"
    return found


def _heading(column: tuple[str, str]) -> list[str]:
    """What must stand in one line of a heading: a short title whole, of a longer one each word."""
    return [part for text in column for part in ([text] if len(text) <= SHORT_TITLE else text.split())]


def _blocks(table: PaperTable, section: str, rows: Sequence[Row], width: int) -> list[Table]:
    """The rows of one task, in as many tables as their columns take."""
    skipped = int(bool(section))
    has_kinds = len({row.kind for row in rows}) > 1
    titles = [*table.label_titles[skipped:], *([""] if has_kinds else [])]
    labels = [[*row.labels[skipped:], *([table.row_title(row.kind)] if has_kinds else [])] for row in rows]
    label_widths = [
        min(max(map(len, [title, *column])), LONGEST_LABEL)
        for title, column in zip(titles, zip(*labels, strict=True), strict=True)
    ]
    widths = [
        GAP + max(len(text) for text in [*_heading(column), *(row.entries[place].text for row in rows)])
        for place, column in enumerate(table.columns)
    ]
    found = []
    room = width - sum(label_widths) - GAP * len(label_widths)
    for block in column_blocks(widths, [group for group, _ in table.columns], room):
        made = Table(
            box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), show_edge=False, title=section or None,
            title_justify="left",
        )  # fmt: skip
        for title, label_width in zip(titles, label_widths, strict=True):
            made.add_column(title, width=label_width)
        for column in block:
            heading = "\n".join(filter(None, table.columns[column]))
            made.add_column(heading, justify="right", width=min(widths[column], room) - GAP)
        previous: tuple[str, ...] = ()
        for row, texts in zip(rows, labels, strict=True):
            n_repeated = len(row.labels) - skipped if row.labels == previous else 0
            entries = [row.entries[column] for column in block]
            made.add_row(
                *([""] * n_repeated + texts[n_repeated:]),
                *(Text(one.text, style="bold" if one.bold else "") for one in entries),
            )
            previous = row.labels
        found.append(made)
    return found
