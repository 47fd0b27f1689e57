"""The self-contained HTML report: what came out, the figure, retrievals to look at, and what was run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from umml_cli.report.paper_tables.table import ROW_TITLES
from umml_cli.report.terminal_tables import entry
from umml_cli.results.paper_claims import REMARKS, TITLES, keeping_wins
from umml_cli.results.series import spread_remark
from umml_cli.terms import (
    SCHEME_TITLES,
    SELECTION_TITLES,
    SIGNIFICANCE_REMARK,
    TASK_TITLES,
    TASKS,
    UNPAIRED,
    method_remark,
    split_label,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from umml_cli.report.gallery import Gallery
    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.paper_claims import FindingRow
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure of an experiment.

    Args:
        title: heading.
        table: the table, or None.
        figure_svg: the figure as SVG text, or None.
    """

    title: str
    table: PaperTable | None = None
    figure_svg: str | None = None


@dataclass(frozen=True)
class Section:
    """What the report shows of one series.

    Args:
        series: the numbers.
        figure_svg: the figure as SVG text.
        gallery: retrievals, or None to leave them out.
        results: the runs behind the numbers.
    """

    series: Series
    figure_svg: str
    gallery: Gallery | None
    results: Sequence[RunResult]


def headline(series: Series) -> list[str]:
    """The findings in plain sentences, from the numbers of this series alone."""
    sentences = []
    paired = {task: series.score("paired", 0, task) for task in TASKS}
    untrained = {task: series.score("untrained", 0, task) for task in TASKS}
    if all(paired.values()) and all(untrained.values()):
        said = " and ".join(
            f"{paired[task].mean:.2f} {TASK_TITLES[task]} (untrained {untrained[task].mean:.2f})"  # type: ignore[union-attr]
            for task in TASKS
        )
        sentences.append(f"With every training pair kept, the mAP is {said}.")
    changes = {
        scheme: {task: series.change_percent(cell, task) for task in TASKS}
        for cell in series.cells
        for scheme in UNPAIRED
        if cell.scheme == scheme and cell.percent == 60
    }
    for scheme, change in changes.items():
        if None not in change.values():
            said = ", ".join(f"{TASK_TITLES[task]} by {change[task]:+.0f}%" for task in TASKS)
            sentences.append(f"60% {SCHEME_TITLES[scheme]} changes {said}.")
    kept = keeping_wins(series)
    if kept is not None:
        rest = (
            ""
            if kept.not_significant is None
            else f"; it loses in {kept.opposite}, {kept.not_significant} are not significant"
        )
        sentences.append(
            f"Keeping the unpaired samples beats throwing as many away in {kept.shown} of {kept.of} "
            f"comparisons{rest}."
        )
    return sentences


def render_report(
    title: str,
    sections: Sequence[Section],
    exhibits: Sequence[Exhibit] = (),
    pages: Mapping[str, Any] | None = None,
    findings: Sequence[FindingRow] = (),
) -> str:
    """The report as one HTML text without any external address.

    Args:
        title: heading of the page.
        sections: one for each series.
        exhibits: tables and figures of experiments.
        pages: what `run_pages` gives: a page for every run, shown on request.
        findings: the paper's findings, looked for in these numbers.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("report.html"))
    return template.render(
        title=title,
        sections=sections,
        exhibits=exhibits,
        pages=pages,
        findings=findings,
        finding_titles=TITLES,
        finding_remarks=REMARKS,
        pages_json=_script_json(pages),
        script=Markup(_resource("report.js")),  # noqa: S704 - our own file
        row_titles=ROW_TITLES,
        selection_titles=SELECTION_TITLES,
        tasks=TASKS,
        task_titles=TASK_TITLES,
        method_remark=method_remark,
        method_name=lambda label: split_label(label)[0],
        scheme_titles=SCHEME_TITLES,
        significance_remark=SIGNIFICANCE_REMARK,
        spread_remark=spread_remark,
        entry=entry,
        headline=headline,
        inline_svg=inline_svg,
    )


def _resource(name: str) -> str:
    return files("umml_cli").joinpath("report", "templates", name).read_text(encoding="utf-8")


def _script_json(value: object) -> Markup:
    """JSON that can stand in a script element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no element can end the script


def inline_svg(text: str) -> Markup:
    """The `<svg>` element of an SVG file made by this program, scaled to the width of the page."""
    element = text[text.index("<svg") :]
    start, rest = element.split(">", 1)
    attributes = [part for part in start.split('" ') if not part.startswith(("width=", "height="))]
    return Markup('" '.join(attributes) + ' class="figure">' + rest)  # noqa: S704 - matplotlib's own output
