"""Numbers as lines: a value of each cell against the share of affected pairs or against the code length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from umml_cli.report.figures.compared import by_dataset, comparisons, entrants
from umml_cli.report.figures.line_figure import Curve, Line, PanelRow, line_figure, line_style
from umml_cli.results.intervals import spread_over_seeds
from umml_cli.results.published import BITS, maps_of
from umml_cli.runs.cells import Cell
from umml_cli.terms import SPREAD_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from matplotlib.figure import Figure

    from umml_cli.results.series import Series

    Value = Callable[[Series, Cell, str], tuple[float, float | None] | None]
    """Series, cell and task to mean and spread; None where it was not run."""

SHARE = "affected training pairs (%)"
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "UI": ("UI: text removed", {"color": "#0072B2", "marker": "o", "linestyle": "-"}),
    "UT": ("UT: image removed", {"color": "#D55E00", "marker": "s", "linestyle": "--"}),
    "UIT": ("UIT: half each", {"color": "#009E73", "marker": "^", "linestyle": "-."}),
    "SD": ("SD: samples discarded", {"color": "#555555", "marker": "x", "linestyle": ":"}),
}


def map_value(series: Series, cell: Cell, task: str) -> tuple[float, float | None] | None:
    """MAP and its spread."""
    score = series.scores.get((cell, task))
    return None if score is None else (score.mean, score.spread(series.spread))


def radius_value(series: Series, cell: Cell, task: str) -> tuple[float, float | None] | None:
    """Precision within Hamming radius 2 and its spread."""
    if (cell, task) not in series.scores:
        return None
    values = np.array([[curves.within_radius_2] for curves in series.curves(cell, task)])
    spread = spread_over_seeds(values, series.spread)
    return float(values.mean()), None if spread is None else float(spread[0])


def bars_remark(shown: Iterable[Series]) -> str:
    """What the bars of a figure are; empty for single seeds."""
    several = {series.spread for series in shown for score in series.scores.values() if score.seeds > 1}
    return (
        f"Bars: {', '.join(SPREAD_TITLES[spread] for spread in sorted(several))} over seeds"
        if several
        else ""
    )


def curves_through(points: Iterable[tuple[float, Series, Cell]], value: Value) -> dict[str, Curve]:
    """Return task to the line through a value of cells; what was not run is left out.

    Args:
        points: where on the axis, and of what.
        value: the height of a point.
    """
    points = list(points)
    curves = {}
    for task in TASKS:
        found = sorted(
            (x, *known) for x, series, cell in points if (known := value(series, cell, task)) is not None
        )
        spreads = [spread for _, _, spread in found]
        if found:
            curves[task] = Curve(
                np.array([x for x, _, _ in found], float),
                np.array([mean for _, mean, _ in found]),
                np.array([spread or 0.0 for spread in spreads]) if any(spreads) else None,
            )
    return curves


def against_share(shown: Sequence[Series], value: Value, *, y_label: str, published: bool = False) -> Figure:
    """Draw a value against the share of affected pairs, a line for each method (UMML paper, Figures 5 to 9).

    A row of panels for each data set and scheme. Published numbers are hollow grey marks.
    """
    several = len({series.bits for series in shown}) > 1
    rows = []
    keys = list(dict.fromkeys((series.method, series.variant, series.bits) for series in shown))
    for dataset, here in by_dataset(shown).items():
        lines_of = [
            (f"{one.label} {bits} bits" if several else one.label, series)
            for one in entrants(here)
            for bits, series in one.by_bits.items()
        ]
        for scheme in schemes_of(here):
            drawn: list[Line] = []
            for label, series in lines_of:
                style = line_style(keys.index((series.method, series.variant, series.bits)))
                drawn += _measured(series, scheme, value, label=label, style=style)
                if published and series.bits == BITS:
                    drawn += _published(series, scheme, label=label, marker=style["marker"])
            drawn.sort(key=lambda line: line.label.endswith(("published", "untrained")))
            rows.append(PanelRow(f"{dataset}, {scheme}", drawn))
    return _share_lines(rows, y_label, shown)


def _share_lines(rows: Sequence[PanelRow], y_label: str, shown: Iterable[Series]) -> Figure:
    return line_figure(
        rows, x_label=SHARE, y_label=y_label, x_ticks=range(0, 101, 20), bars=bars_remark(shown)
    )


def schemes_of(shown: Iterable[Series]) -> list[str]:
    """Return the schemes that change pairs by one share, in order."""
    schemes = dict.fromkeys(cell.scheme for series in shown for cell in series.cells)
    return [scheme for scheme in schemes if scheme.split()[0] not in {"paired", "untrained", "mixed"}]


def _measured(
    series: Series, scheme: str, value: Value, *, label: str, style: Mapping[str, Any]
) -> Iterator[Line]:
    """The line of a scheme from paired training on, and the level of the untrained network."""
    cells = [cell for cell in series.cells if cell.scheme == scheme]
    if cells:
        start = [cell for cell in series.cells if cell.scheme == "paired"]
        points = [(cell.percent, series, cell) for cell in [*start, *cells]]
        yield Line(label, style, curves_through(points, value))
    if Cell.of("untrained") in series.cells:
        yield _untrained(series, value, style["color"])


def _untrained(series: Series, value: Value, color: str) -> Line:
    style = {"color": color, "linewidth": 0.6, "linestyle": (0, (1, 3))}
    points = [(0.0, series, Cell.of("untrained"))]
    return Line("untrained", style, curves_through(points, value), level=True)


def _published(series: Series, scheme: str, *, label: str, marker: str) -> Iterator[Line]:
    known = maps_of(series.printed_dataset, series.method)
    points = [
        (cell.percent, series, cell) for cell in dict.fromkeys(cell for cell, _ in known)
        if cell.scheme in {scheme, "paired"}
    ]  # fmt: skip
    if points:
        style = {"color": "#888888", "marker": marker, "markerfacecolor": "none", "linestyle": "none"}
        yield Line(
            f"{label} published",
            style,
            curves_through(points, lambda _, cell, task: (known[cell, task], None)),
        )


def share_figure(series: Series) -> Figure:
    """Draw the mAP of one method against the share of affected pairs, a line for each scheme.

    Where there is none, as of gaps that were completed, or of images and texts with shares of their own, a
    point for each cell.
    """
    lines: list[Line] = []
    for scheme, (label, style) in SCHEMES.items():
        if scheme in schemes_of([series]):
            lines += [
                line
                for line in _measured(series, scheme, map_value, label=label, style=style)
                if not line.level
            ]
    if not lines:
        lines += [
            Line(cell.title, line_style(position), curves_through([(cell.percent, series, cell)], map_value))
            for position, cell in enumerate(cell for cell in series.cells if cell.trained)
        ]
    if Cell.of("untrained") in series.cells:
        lines.append(_untrained(series, map_value, "#000000"))
    return _share_lines([PanelRow("", lines)], "mAP", [series])


def against_bits(shown: Sequence[Series], value: Value, *, y_label: str) -> list[tuple[str, Figure]]:
    """Draw a value against the code length: a figure for each comparison of those with two code lengths.

    Returns:
        Suffix of the file's name, and figure.
    """
    found = []
    for comparison in comparisons(shown):
        points = [
            (
                label,
                [(bits, series, cell) for bits, series in entrant.by_bits.items() if cell in series.cells],
            )
            for label, entrant, cell in comparison.lines
        ]
        lengths = sorted({bits for _, of_line in points for bits, _, _ in of_line})
        lines = [
            Line(label, line_style(position), curves_through(of_line, value))
            for position, (label, of_line) in enumerate(points)
        ]
        figure = line_figure(
            [PanelRow(comparison.title, lines)],
            x_label="code length (bits)",
            y_label=y_label,
            x_ticks=lengths,
            bars=bars_remark(shown),
        )
        found.append((comparison.suffix, figure))
    return found
