"""A table of the paper as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.table import ROW_TITLES

if TYPE_CHECKING:
    from umml_cli.report.paper_tables.table import Entry, PaperTable

_LATEX = {
    "→": r"$\to$", "±": r"$\pm$", "≈": r"$^\approx$", "%": r"\%",
    "_": r"\_", "&": r"\&", "#": r"\#",
}  # fmt: skip


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
                [*row.labels, *([ROW_TITLES[row.kind]] if kinds else []), *map(_markdown_entry, row.entries)]
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
    text = f"**{entry.text}**" if entry.bold else entry.text
    return text if entry.note is None else f"{text} [{entry.note}]"


def to_csv(table: PaperTable) -> str:
    """One line per row, entries as printed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [*table.label_titles, "row", *(f"{group} {title}".strip() for group, title in table.columns)]
    )
    for row in table.rows:
        writer.writerow([*row.labels, ROW_TITLES[row.kind], *(entry.text for entry in row.entries)])
    return text.getvalue()


def to_latex(table: PaperTable) -> str:
    """A `table*` that needs the package booktabs."""
    n_labels = len(table.label_titles) + 1
    groups = " & ".join(f"\\multicolumn{{{span}}}{{c}}{{{_latex(group)}}}" for group, span in table.groups)
    head = " & ".join(
        _latex(title) for title in [*table.label_titles, "", *(title for _, title in table.columns)]
    )
    lines = [
        r"\begin{table*}",
        r"\caption{" + _latex(table.title) + "}",
        r"\label{tab:" + table.name + "}",
        r"\centering",
        r"\begin{tabular}{" + "l" * n_labels + "r" * len(table.columns) + "}",
        r"\toprule",
        " & " * n_labels + groups + r" \\",
        head + r" \\",
        r"\midrule",
    ]
    previous = None
    for row in table.rows:
        if previous is not None and row.labels[0] != previous and len(row.labels) > 1:
            lines.append(r"\midrule")
        previous = row.labels[0]
        fields = [_latex(label) for label in (*row.labels, ROW_TITLES[row.kind])]
        lines.append(" & ".join([*fields, *map(_latex_entry, row.entries)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    lines += [
        f"\\par\\footnotesize $^{{{number}}}$ {_latex(note)}"
        for number, note in enumerate(table.notes, start=1)
    ]
    lines += [f"\\par\\footnotesize {_latex(remark)}" for remark in table.remarks]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_entry(entry: Entry) -> str:
    text = re.sub(r"(?<!\w)-(?=\d)", "$-$", _latex(entry.text))  # a minus, not a hyphen
    text = f"\\textbf{{{text}}}" if entry.bold else text
    return text if entry.note is None else f"{text}$^{{{entry.note}}}$"
