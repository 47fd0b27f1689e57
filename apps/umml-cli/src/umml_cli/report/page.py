"""The self-contained HTML report of a grid: the result, its figure, tables, examples, and every run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from umml_cli.report.page_templates import CREDIT, inline_svg, render, script_json
from umml_cli.report.paper_tables.table import ROW_TITLES, unchecked
from umml_cli.report.run_pages import compared
from umml_cli.report.summary import headline, result_sentence
from umml_cli.report.terminal_tables import entry
from umml_cli.results.facts import facts
from umml_cli.results.paper_claims import REMARKS, TITLES
from umml_cli.results.series import significance_remark, spread_remark
from umml_cli.terms import (
    SCHEME_TITLES,
    SELECTION_TITLES,
    TASKS,
    method_remark,
    method_title,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from umml_cli.report.paper_tables.table import PaperTable, Row
    from umml_cli.report.run_pages import RunPages
    from umml_cli.results.paper_claims import FindingRow
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult

MOST_COLUMNS = 8
"""Columns of numbers that a page is wide enough for; wider tables are shown in parts."""

FLAT = 0.62
"""Height of a figure as a part of its width, up to which it fits on the first screen."""

FILTERS = {
    "method": "method",
    "dataset": "data set",
    "scheme": "scheme",
    "bits": "bits",
    "seed": "seed",
}
"""Entry of a run that is filtered by, and its title."""


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure of an experiment.

    Args:
        title: heading.
        table: the table, or None.
        figure_svg: the figure as SVG text, or None.
        figure_path: of the figure's files, from the output folder on and without their suffixes.
    """

    title: str
    table: PaperTable | None = None
    figure_svg: str | None = None
    figure_path: str = ""


@dataclass(frozen=True)
class Section:
    """What the report shows of one series.

    Args:
        series: the numbers.
        figure_svg: the figure as SVG text.
        figure_path: of the figure's files, as for exhibits.
        results: the runs behind the numbers.
    """

    series: Series
    figure_svg: str
    figure_path: str
    results: Sequence[RunResult]

    @property
    def has_figure(self) -> bool:
        """Whether there is more than one share of unpaired samples to draw."""
        return len({cell.percent for cell in self.series.cells}) > 1

    @property
    def caption(self) -> str:
        """What the figure shows."""
        return f"mAP against affected training pairs: {self.series.title}"


def render_report(
    title: str,
    sections: Sequence[Section],
    exhibits: Sequence[Exhibit],
    pages: RunPages,
    findings: Sequence[FindingRow] = (),
) -> str:
    """The report as one HTML text without any external address.

    Args:
        title: heading of the page.
        sections: one for each series.
        exhibits: tables and figures of experiments.
        pages: every run.
        findings: the paper's findings, looked for in these numbers.
    """
    all_series = [section.series for section in sections]
    schemes = {cell.title: cell.scheme for series in all_series for cell in series.cells}
    runs = {run["id"]: run for run in pages.runs}
    lead, rest, figures = _lead(sections, exhibits)
    datasets = {series.dataset for series in all_series}
    shown = [
        _shown_exhibit(number, exhibit, schemes, datasets) for number, exhibit in enumerate(rest, start=1)
    ]
    series_shown = [
        _shown_section(number, section, runs, svg)
        for number, (section, svg) in enumerate(zip(sections, figures, strict=True), start=1)
    ]
    contents = [(one["anchor"], one["title"]) for one in shown]
    contents += [(one["anchor"], one["series"].title) for one in series_shown]
    contents += [("findings", "The paper's findings")] if findings else []
    contents += [("setup", "Experimental setup"), ("runs", "All runs")]
    return render(
        "report.html",
        title=title,
        result=result_sentence(all_series),
        lead=lead,
        schemes={name: SCHEME_TITLES[name] for name in dict.fromkeys(schemes.values())},
        contents=contents,
        filters=_filters(pages.runs),
        exhibits=shown,
        sections=series_shown,
        findings=findings,
        finding_titles=TITLES,
        finding_remarks=REMARKS,
        setup=_setup(sections),
        runs=pages.runs,
        pages=script_json(pages.as_json()),
        credit=CREDIT if pages.with_emoji else "",
    )


def _lead(
    sections: Sequence[Section], exhibits: Sequence[Exhibit]
) -> tuple[dict[str, Any] | None, Sequence[Exhibit], list[str]]:
    """The figure of the first screen, the other exhibits, and the sections' figures ("" for the lead's).

    An experiment's figure comes first where it fits on a screen.
    """
    figures = [_figure(section) for section in sections]
    for exhibit in exhibits:
        if exhibit.figure_svg is not None and _height(exhibit.figure_svg) <= FLAT:
            others = [other for other in exhibits if other is not exhibit]
            svg = inline_svg(exhibit.figure_svg, exhibit.title)
            return {"svg": svg, "caption": exhibit.title}, others, figures
    for place, section in enumerate(sections):
        if figures[place]:
            lead = {"svg": figures[place], "caption": section.series.title}
            return lead, exhibits, [*figures[:place], "", *figures[place + 1 :]]
    return None, exhibits, figures


def _figure(section: Section) -> str:
    """The figure of a series that has one, else ""."""
    if not section.has_figure:
        return ""
    return inline_svg(section.figure_svg, section.caption)


def _height(svg: str) -> float:
    """Height of a figure as a part of its width."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    return float(box[2]) / float(box[1]) if box else 1.0


def _filters(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What can be chosen, where there is a choice: name to title and options of value and text."""
    found = {}
    for name, title in FILTERS.items():
        values = list(dict.fromkeys(run[name] for run in runs))
        if name in {"bits", "seed"}:
            values.sort()
        if len(values) > 1:
            options = [(value, method_title(value) if name == "method" else str(value)) for value in values]
            found[name] = {"title": title, "options": options}
    return found


def _shown_exhibit(
    number: int, exhibit: Exhibit, schemes: Mapping[str, str], datasets: Collection[str]
) -> dict[str, Any]:
    shown: dict[str, Any] = {"anchor": f"exhibit-{number}", "title": exhibit.title, "table": exhibit.table}
    if exhibit.table is None:
        return {**shown, "svg": inline_svg(exhibit.figure_svg or "", exhibit.title)}
    rows = exhibit.table.rows
    kinds = dict(ROW_TITLES)
    if not any(row.kind == "published" for row in rows):  # nothing that ours would have to be told from
        kinds |= {"ours": "", "change": "change %"}
    return {
        **shown,
        "parts": column_parts(exhibit.table, schemes, datasets),
        "row_groups": _row_groups(exhibit.table),
        "label_titles": exhibit.table.label_titles[_n_headings(exhibit.table) :],
        "n_headings": _n_headings(exhibit.table),
        "kinds": kinds,
    }


def column_parts(
    table: PaperTable, schemes: Mapping[str, str], datasets: Collection[str]
) -> list[dict[str, Any]]:
    """The columns of a table in parts that a page is wide enough for; groups stay together.

    Args:
        table: the table.
        schemes: title of a cell to its scheme.
        datasets: names that a group of columns may have.
    """
    groups: list[tuple[str, list[dict[str, Any]]]] = []
    for index, (group, title) in enumerate(table.columns):
        if not groups or groups[-1][0] != group:
            groups.append((group, []))
        groups[-1][1].append({"index": index, "title": title, "scheme": schemes.get(title, "")})
    parts: list[list[tuple[str, list[dict[str, Any]]]]] = [[]]
    for one in groups:
        if parts[-1] and sum(len(columns) for _, columns in [*parts[-1], one]) > MOST_COLUMNS:
            parts.append([])
        parts[-1].append(one)
    return [
        {
            "groups": part,
            "n_columns": sum(len(columns) for _, columns in part),
            "dataset": part[0][0] if len(part) == 1 and part[0][0] in datasets else "",
        }
        for part in parts
    ]


def _n_headings(table: PaperTable) -> int:
    """How many of a table's leading columns become headings above its rows: the task, where it is one."""
    return int(table.label_titles[0] == "task" and len(table.label_titles) > 1)


def _row_groups(table: PaperTable) -> list[tuple[str, list[Row]]]:
    """The rows below their headings; all below "" where there is none."""
    grouped = _n_headings(table)
    return [
        (heading, list(members))
        for heading, members in groupby(table.rows, lambda row: row.labels[0] if grouped else "")
    ]


def _shown_section(number: int, section: Section, runs: Mapping[str, Any], svg: str) -> dict[str, Any]:
    series = section.series
    side_by_side = [runs[result.specification.run_id] for result in compared(section.results)]
    return {
        "anchor": f"series-{number}",
        "series": series,
        "svg": svg,
        "sentences": headline(series),
        "rows": [(cell, [entry(series, cell, task) for task in TASKS]) for cell in series.cells],
        "remarks": _section_remarks(series),
        "compared": side_by_side,
        "has_data": any(run["has_data"] for run in side_by_side),
        "has_examples": any(run["retrievals"] for run in side_by_side),
        "has_curves": any(len(points) > 1 for run in side_by_side for points in run["curves"].values()),
    }


def _section_remarks(series: Series) -> list[str]:
    discarded = any(cell.scheme == "SD" for cell in series.cells)
    better = (
        "★ the best at this share. Better strategy: keeping unpaired samples or discarding as many, with the "
        "gain in mAP (at 100%, discarding leaves an untrained network)."
    )
    remarks = (
        better if discarded else "",
        unchecked(series),
        spread_remark([series]),
        significance_remark([series]),
    )
    return [remark for remark in remarks if remark]


def _setup(sections: Iterable[Section]) -> dict[str, Any]:
    """What all series have in common, and what each has of its own."""
    known = [(section.series, _facts(section)) for section in sections]
    common = {
        name: value
        for name, value in known[0][1].items()
        if all(other.get(name) == value for _, other in known)
    }
    own = [
        (series, {name: value for name, value in values.items() if name not in common})
        for series, values in known
    ]
    return {"common": common, "own": own}


def _facts(section: Section) -> dict[str, str]:
    spec = section.results[0].specification
    of_runs = facts(section.results)
    own = {
        "epoch": SELECTION_TITLES[section.series.selection],
        "change": "(mAP / mAP paired \N{MINUS SIGN} 1) \N{MULTIPLICATION SIGN} 100 (UMML paper, eq. 4)",
        "unpairing": "the first p of every 100 training rows; for UIT the first p/2 lose their text and the "
        "last p/2 their image; labels are kept",
        "method": f"{spec.method}{method_remark(spec.label)} {spec.method_version}, {spec.bits} bits, "
        f"{spec.epochs} epochs, batch size {spec.batch_size or 'all rows'}",
        "options": ", ".join(f"{name} {value}" for name, value in spec.options.items()),
    }
    said = of_runs | own
    order = ("measure", "epoch", "change", "unpairing", "data", "method", "options", "runs", "random seeds",
             "training", "software", "machine")  # fmt: skip
    return {name: said[name] for name in order if said.get(name)}
