"""One LaTeX document with every table and figure of a folder, and its PDF where LaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.report.latex_table import numbered, to_wide_latex
from umml_cli.report.latex_text import escape
from umml_cli.results.paper_claims import REMARKS, TITLES
from umml_cli.runs.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.paper_claims import FindingRow

FILE = "report.tex"
SECONDS = 300
"""How long LaTeX may take."""

_PREAMBLE = r"""% Made by umml: every table and figure of this folder. Compile with: pdflatex report.tex
\documentclass{article}
\usepackage[a4paper,margin=24mm]{geometry}
\usepackage{array,booktabs,float,graphicx,longtable,multirow}
\setlength{\parindent}{0pt}
\setlength{\belowcaptionskip}{4pt}
\begin{document}"""

_FIGURE_SIZE = r"width=\linewidth,height=0.84\textheight,keepaspectratio"
_FINDING_WIDTHS = (0.3, 0.12, 0.12, 0.2, 0.07, 0.09)
"""Shares of the page that the columns of the findings take, without the space between them."""


@dataclass(frozen=True)
class LatexFigure:
    """A figure of the document.

    Args:
        path: of its PDF, from the document on, without the suffix.
        caption: below it.
    """

    path: str
    caption: str


def latex_document(
    title: str,
    facts: Mapping[str, str],
    tables: Sequence[PaperTable],
    figures: Sequence[LatexFigure],
    findings: Sequence[FindingRow] = (),
) -> str:
    """Return the document.

    Args:
        title: heading.
        facts: title to text of what the runs were made with.
        tables: in order.
        figures: in order, two beside each other.
        findings: the paper's findings, looked for in these numbers.
    """
    lines = [
        _PREAMBLE,
        rf"\section*{{{escape(title)}}}",
        *_facts(facts),
        *(to_wide_latex(table) for table in tables),
        *(_findings(findings) if findings else ()),
        *_figures(figures),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def _facts(facts: Mapping[str, str]) -> list[str]:
    items = [rf"\item[{escape(title)}] {escape(text)}" for title, text in facts.items()]
    return [r"{\small\raggedright\begin{description}", *items, r"\end{description}\par}"] if items else []


def _findings(rows: Sequence[FindingRow]) -> Iterator[str]:
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{share:g}\linewidth}}" for share in _FINDING_WIDTHS
    )
    yield rf"{{\footnotesize\setlength{{\tabcolsep}}{{3pt}}\begin{{longtable}}{{@{{}}{columns}@{{}}}}"
    yield r"\caption{The paper's findings, counted in these runs.}\\"
    head = " & ".join(map(escape, TITLES))
    yield rf"\toprule {head} \\ \midrule \endhead \bottomrule \endfoot"
    for row in rows:
        yield " & ".join(map(escape, row.entries)) + r" \\"
    yield r"\end{longtable}"
    yield r"\raggedright " + r"\par ".join(map(escape, REMARKS)) + r"\par}"


def _figures(figures: Sequence[LatexFigure]) -> Iterator[str]:
    for start in range(0, len(figures), 2):
        pair = figures[start : start + 2]
        yield r"\begin{figure}[H]"
        for place, figure in enumerate(pair):
            yield r"\begin{minipage}[t]{0.485\linewidth}\centering"
            yield rf"\includegraphics[{_FIGURE_SIZE}]{{{figure.path}}}"
            yield rf"\caption{{{escape(numbered(figure.caption))}.}}"
            yield r"\end{minipage}" + (r"\hfill" if place == 0 and len(pair) == 2 else "")
        yield r"\end{figure}"


def compile_document(folder: Path) -> Path:
    """Compile the document of a folder, and return its PDF.

    Args:
        folder: with `report.tex` and the figures.

    Raises:
        UserError: there is no such document, LaTeX is not installed, or it refuses the document.
    """
    document, target = folder / FILE, (folder / FILE).with_suffix(".pdf")
    if not document.exists():
        raise UserError(
            f"--pdf needs tables or figures, but {folder} is the folder of a single run; give the folder "
            "above it."
        )
    latex = shutil.which("pdflatex")
    if latex is None:
        raise UserError(
            f"{document} is written, but there is no pdflatex here to make {target.name} of it; install TeX "
            f"Live, or run `pdflatex {FILE}` in a copy of {folder} where it is installed."
        )
    with TemporaryDirectory() as beside:
        try:
            done = subprocess.run(  # noqa: S603 - our own document, no shell
                [latex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape",
                 f"-output-directory={beside}", FILE],
                cwd=folder, capture_output=True, check=False, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UserError(f"pdflatex has not compiled {document} in {SECONDS} s; try it by hand.") from None
        made = (Path(beside) / FILE).with_suffix(".pdf")
        if done.returncode or not made.exists():
            said = re.findall(r"^! (.*)", done.stdout.decode(errors="replace"), re.MULTILINE)
            reason = said[0].rstrip(".") if said else f"it ended with status {done.returncode}"
            raise UserError(
                f"pdflatex cannot compile {document}: {reason}; run `pdflatex {FILE}` in {folder} to see "
                "where, or rename what has characters that it refuses."
            )
        with replacing(target) as temporary:
            shutil.copyfile(made, temporary)
    return target
