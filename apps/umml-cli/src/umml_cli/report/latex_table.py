"""A table of the paper as LaTeX that fits one column of a paper, or its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from umml_cli.report.column_blocks import column_blocks
from umml_cli.report.figures.compared import slug
from umml_cli.report.latex_text import escape, text_width, typeset_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from umml_cli.report.paper_tables.table import PaperTable, Row
    from umml_cli.terms import LatexWidth

ROOM: dict[LatexWidth, float] = {"column": 229, "page": 345}
r"""Points: `\columnwidth` of article with two columns; `\textwidth` of article with one, a narrow page."""

SEPARATION = 1.8
r"""`\tabcolsep`, in points, on either side of a column."""

LABEL_ROOM = 62.0
"""Points that a label takes at most; a longer one is broken into lines."""

NARROWEST_LABEL = 30.0

LINES = 46
"""Lines of a float, caption and remarks included, that fit on a page of article."""

WIDE_ROOM, WIDE_LINES = 455, 62
"""The same of an A4 page with margins of 24 mm."""

HEAD = 4  # lines that the head of a block takes, with its rules
SPACE = 0.55  # lines that the space between two groups or the rule above a section takes
MARGIN = 1.02  # kerning and what the table of widths does not know
REMARK_WIDTH = 0.5 * 8  # points of an average character of a remark


@dataclass(frozen=True)
class _Group:
    """Rows about the same thing, which stay together."""

    section: str
    labels: tuple[str, ...]
    rows: Sequence[Row]


def to_latex(table: PaperTable, width: LatexWidth = "page") -> str:
    """Return floats that hold the table, with what the preamble needs in a comment.

    What is too wide stands in blocks below each other, what is too long in several floats of one number.

    Args:
        table: the table.
        width: "column": `table`, for one column of two; "page": `table*`, across both, or a page of one.
    """
    environment = "table" if width == "column" else "table*"
    what = "one column of two" if width == "column" else "both columns of two, or a page of one"
    head = [
        "% Made by umml. The preamble needs: \\usepackage{booktabs,multirow}",
        f"% At most {ROOM[width]:g} pt wide, for {what}. In the text: \\input{{{table.name}}}",
    ]
    return "\n".join([*head, *_floats(table, environment, "", ROOM[width], LINES)]) + "\n"


def to_wide_latex(table: PaperTable) -> str:
    """Return floats that stay where they are and fit an A4 page with margins of 24 mm.

    The preamble needs the packages booktabs, multirow and float.

    Args:
        table: the table.
    """
    return "\n".join(_floats(table, "table", "[H]", WIDE_ROOM, WIDE_LINES)) + "\n"


def _floats(table: PaperTable, environment: str, place: str, room: float, n_lines: int) -> Iterator[str]:
    """The lines of all floats; those after the first share its number."""
    writer = _Writer(table, room, n_lines)
    for number, body in enumerate(writer.floats()):
        yield rf"\begin{{{environment}}}{place}"
        if number:
            yield r"\addtocounter{table}{-1}"
        yield rf"\caption{{{writer.continued if number else writer.caption}}}"
        if not number:
            yield rf"\label{{tab:{slug(table.name)}}}"
        yield rf"\centering\footnotesize\setlength{{\tabcolsep}}{{{SEPARATION:g}pt}}"
        yield from body
        yield rf"\end{{{environment}}}"


class _Writer:
    def __init__(self, table: PaperTable, room: float, n_lines: int) -> None:
        self._table = table
        self._room = room
        self._n_lines = n_lines
        firsts = [row.labels[0] for row in table.rows]
        n_sections = len(list(groupby(firsts)))
        n_groups = len({row.labels for row in table.rows})
        self._has_sections = len(table.label_titles) > 1 and (
            n_sections < n_groups or table.label_titles[0] == "task"
        )
        self._has_kinds = len({row.kind for row in table.rows}) > 1
        self._label_titles = table.label_titles[1:] if self._has_sections else table.label_titles
        self._groups = [
            _Group(labels[0] if self._has_sections else "", labels[self._has_sections :], list(rows))
            for labels, rows in groupby(table.rows, key=lambda row: row.labels)
        ]
        entries = [
            [typeset_entry(entry.text, bold=entry.bold, note=entry.note) for entry in row.entries]
            for row in table.rows
        ]
        self._entries = {
            id(row): [latex for latex, _ in typeset] for row, typeset in zip(table.rows, entries, strict=True)
        }
        self._number_widths = [
            max(
                [typeset[column][1] for typeset in entries]
                + [text_width(word) for word in table.columns[column][1].split()]
            )
            for column in range(len(table.columns))
        ]
        kinds = [self._kind(row) for row in table.rows] if self._has_kinds else []
        self._kind_width = max(map(text_width, kinds), default=0.0)
        self._label_widths = self._fitting_labels()

    def _kind(self, row: Row) -> str:
        """What a kind of row is called; a change follows the numbers that it is of."""
        return self._table.row_title("change" if row.kind == "published change" else row.kind)

    def _fitting_labels(self) -> list[float]:
        """How wide each column of labels may become beside the widest column of numbers."""
        widths = [
            min(max(map(text_width, [title, *(group.labels[place] for group in self._groups)])), LABEL_ROOM)
            for place, title in enumerate(self._label_titles)
        ]
        others = self._kind_width + max(self._number_widths)
        gaps = 2 * SEPARATION * (len(widths) + 2)
        while MARGIN * (sum(widths) + others) + gaps > self._room and max(widths) > NARROWEST_LABEL:
            widths[widths.index(max(widths))] -= 2
        return widths

    @property
    def caption(self) -> str:
        return escape(caption_of(self._table))

    @property
    def continued(self) -> str:
        return escape(f"{numbered(self._table.title)} (continued).")

    def floats(self) -> Iterator[list[str]]:
        """The lines of each float below its caption."""
        written: list[str] = []
        caption_lines = ceil(len(self.caption) * 5 / self._room)
        left = budget = float(self._n_lines - caption_lines)
        for block in self._blocks():
            open_block = False
            section = ""
            for group in self._groups:
                cost = self._cost(group) + SPACE + (group.section != section) * (1 + SPACE)
                if cost + (0 if open_block else HEAD) > left and written:
                    if open_block:
                        written += self._foot()
                    yield written
                    written, left, open_block = [], budget, False
                if not open_block:
                    written += [*([r"\par\smallskip"] if written else []), *self._head(block)]
                    left -= HEAD
                    open_block, section = True, ""
                if group.section != section:
                    rule = [] if written[-1] == r"\midrule" else [r"\midrule"]
                    span = self._n_labels + len(block)
                    written += [*rule, rf"\multicolumn{{{span}}}{{l}}{{\emph{{{escape(group.section)}}}}} \\"]
                    left -= 1 + SPACE
                    section = group.section
                elif written[-1] != r"\midrule" and len(group.rows) > 1:
                    written.append(r"\addlinespace")
                written += self._rows(group, block)
                left -= self._cost(group) + SPACE
            written += self._foot()
        remarks = self._remarks()
        cost = sum(ceil(len(remark) * REMARK_WIDTH / self._room) for remark in remarks)
        if cost > left and written:
            yield written
            written = []
        yield [*written, *remarks]

    def _blocks(self) -> list[list[int]]:
        labels = sum(width + 2 * SEPARATION for width in self._label_widths)
        labels += self._kind_width + 2 * SEPARATION if self._has_kinds else 0
        widths = [MARGIN * width + 2 * SEPARATION for width in self._number_widths]
        groups = [group for group, _ in self._table.columns]
        return column_blocks(widths, groups, self._room + 2 * SEPARATION - MARGIN * labels)

    @property
    def _n_labels(self) -> int:
        return len(self._label_titles) + self._has_kinds

    def _cost(self, group: _Group) -> int:
        """Lines that a group takes; a label of more lines than there are rows makes the first row higher."""
        n = len(group.rows)
        lines = [_n_lines(*one) for one in zip(group.labels, self._label_widths, strict=True)]
        return n + max((extra - 1 for extra in lines if extra > n), default=0)

    def _head(self, block: Sequence[int]) -> list[str]:
        columns = [self._table.columns[column] for column in block]
        spans, rules, first = [], [], self._n_labels + 1
        for group, members in groupby(columns, key=lambda column: column[0]):
            n = len(list(members))
            if group:
                rules.append(rf"\cmidrule(lr){{{first}-{first + n - 1}}}")
            spans.append(
                rf"\multicolumn{{{n}}}{{c}}{{{self._wrapped(group, first - self._n_labels - 1, n, block)}}}"
            )
            first += n
        titles = [escape(title) for title in self._label_titles] + [""] * self._has_kinds
        titles += [self._wrapped(title, place, 1, block) for place, (_, title) in enumerate(columns)]
        return [
            rf"\begin{{tabular}}{{@{{}}{'l' * self._n_labels}{'r' * len(block)}@{{}}}}",
            r"\toprule",
            *([" & " * self._n_labels + " & ".join(spans) + r" \\", "".join(rules)] if rules else []),
            " & ".join(titles) + r" \\",
            r"\midrule",
        ]

    def _wrapped(self, title: str, place: int, n: int, block: Sequence[int]) -> str:
        """A heading of one or more columns, in as many lines as their width takes."""
        room = sum(self._number_widths[column] for column in block[place : place + n]) + 2 * SEPARATION * (
            n - 1
        )
        lines: list[str] = []
        for word in (part for whole in title.split() for part in _divided(whole, room)):
            joined = f"{lines[-1]} {word}" if lines else word
            if lines and text_width(joined) <= room:
                lines[-1] = joined
            else:
                lines.append(word)
        if len(lines) < 2:
            return escape(title)
        stacked = r"\\".join(map(escape, lines))
        return rf"\shortstack[{'c' if n > 1 else 'r'}]{{{stacked}}}"

    def _rows(self, group: _Group, block: Sequence[int]) -> Iterator[str]:
        n = len(group.rows)
        for number, row in enumerate(group.rows):
            labels = [
                "" if number else self._label(label, n, label_width)
                for label, label_width in zip(group.labels, self._label_widths, strict=True)
            ]
            kind = [escape(self._kind(row))] if self._has_kinds else []
            entries = [self._entries[id(row)][column] for column in block]
            yield " & ".join([*labels, *kind, *entries]) + r" \\"

    def _label(self, label: str, n_rows: int, width: float) -> str:
        lines = _n_lines(label, width)
        if 1 < lines <= n_rows:
            return rf"\multirow[t]{{{n_rows}}}{{{width:.0f}pt}}{{\raggedright {escape(label)}}}"
        if lines > 1:
            return rf"\parbox[t]{{{width:.0f}pt}}{{\raggedright {escape(label)}\strut}}"
        return escape(label) if n_rows == 1 else rf"\multirow[t]{{{n_rows}}}{{*}}{{{escape(label)}}}"

    def _foot(self) -> list[str]:
        return [r"\bottomrule", r"\end{tabular}"]

    def _remarks(self) -> list[str]:
        notes = [
            rf"\textsuperscript{{{number}}} {escape(note)}"
            for number, note in enumerate(self._table.notes, start=1)
        ]
        said = [*notes, *(escape(remark.strip()) for remark in self._table.remarks[1:])]
        return [r"\par\smallskip\raggedright", *(f"{text}\\par" for text in said)] if said else []


def _n_lines(label: str, width: float) -> int:
    return 1 if text_width(label) <= width else ceil(1.25 * text_width(label) / width)


def _divided(word: str, room: float) -> Iterator[str]:
    """A word that is too wide for its columns in parts that fit."""
    while len(word) > 1 and text_width(word) > room:
        n = max((n for n in range(1, len(word)) if text_width(word[:n]) <= room), default=1)
        n = max(word.rfind("-", 1, n), word.rfind("_", 1, n)) + 1 or n
        yield word[:n]
        word = word[n:]
    yield word


def caption_of(table: PaperTable) -> str:
    """Return the title without a number of its own, and what the entries are.

    Example:
        >>> from umml_cli.report.paper_tables.table import PaperTable
        >>> table = PaperTable("mine", "My methods", (), (), (), remarks=("mAP: last epoch; 1 seed.",))
        >>> caption_of(table)
        'My methods. mAP: last epoch; 1 seed.'
    """
    return " ".join([f"{numbered(table.title)}.", *table.remarks[:1]])


def numbered(title: str) -> str:
    """Return a title in which the number of another paper's table cannot be taken for one's own.

    Example:
        >>> numbered("Table 3: training with unpaired images (UI)")
        'Training with unpaired images (UI); after Table 3 of the UMML paper'
    """
    found = re.fullmatch(r"((?:Table|Figure) \d+): (.*)", title)
    if found is None:
        return title.removesuffix(".")
    return f"{found[2][:1].upper()}{found[2][1:].removesuffix('.')}; after {found[1]} of the UMML paper"
