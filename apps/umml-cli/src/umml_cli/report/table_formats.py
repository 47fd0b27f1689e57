"""A table of the paper as Markdown and CSV."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from umml_cli.report.paper_tables.table import Entry, PaperTable


def to_markdown(table: PaperTable) -> str:
    """A heading, the table, its footnotes and remarks."""
    kinds = len({row.kind for row in table.rows}) > 1
    head = [
        *table.label_titles,
        *[""][:kinds],
        *(f"{group} {title}".strip() for group, title in table.columns),
    ]
    lines = [
        f"## {table.title}",
        "",
        _pipe(head),
        _pipe(["---"] * (len(table.label_titles) + kinds) + ["---:"] * len(table.columns)),
        *(
            _pipe(
                [
                    *row.labels,
                    *([table.row_title(row.kind)] if kinds else []),
                    *map(_markdown_entry, row.entries),
                ]
            )
            for row in table.rows
        ),
        "",
        *(f"[{number}] {note}  " for number, note in enumerate(table.notes, start=1)),
        *([""] if table.notes else []),
        *(f"{remark}  " for remark in table.remarks),
    ]
    return "\n".join(line.rstrip() if not line.endswith("  ") else line for line in lines) + "\n"


def _pipe(fields: list[str]) -> str:
    return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"


def _markdown_entry(entry: Entry) -> str:
    text = minus_signs(f"**{entry.text}**" if entry.bold else entry.text)
    return text if entry.note is None else f"{text} [{entry.note}]"


def minus_signs(text: str) -> str:
    """Return the text with a minus sign in place of a hyphen before a number.

    Example:
        >>> minus_signs("-4.5 n.s.")
        '−4.5 n.s.'
    """
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def to_csv(table: PaperTable) -> str:
    """One line per row, entries as printed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [*table.label_titles, "row", *(f"{group} {title}".strip() for group, title in table.columns)]
    )
    for row in table.rows:
        writer.writerow([*row.labels, table.row_title(row.kind), *(entry.text for entry in row.entries)])
    return text.getvalue()
