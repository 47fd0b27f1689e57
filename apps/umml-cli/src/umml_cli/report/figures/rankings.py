"""Precision against recall, and precision of the first results, from the stored codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from umml_cli.report.figures.compared import comparisons, slug
from umml_cli.report.figures.line_figure import Curve, Line, PanelRow, line_figure, line_style
from umml_cli.report.figures.values import bars_remark
from umml_cli.results.intervals import spread_over_seeds
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

    from umml_cli.results.retrieval_curves import RetrievalCurves
    from umml_cli.results.series import Series
    from umml_cli.terms import Spread

    Draw = Callable[[Sequence[RetrievalCurves], Spread], Curve]


def recall_curve(curves: Sequence[RetrievalCurves], spread: Spread = "sd") -> Curve:
    """Return precision against recall, means over seeds at each Hamming radius.

    Radii within which no query finds anything are left out.
    """
    recall = np.array([one.recall for one in curves])  # (n_seed, bits + 1)
    precision = np.array([one.precision for one in curves])
    found = recall.mean(axis=0) > 0
    bars = spread_over_seeds(precision, spread)
    return Curve(
        recall.mean(axis=0)[found], precision.mean(axis=0)[found], None if bars is None else bars[found]
    )


def top_curve(curves: Sequence[RetrievalCurves], spread: Spread = "sd") -> Curve:
    """Return the precision of the first N results against N, means over seeds."""
    precision = np.array([one.precision_at for one in curves])  # (n_seed, n_cut)
    return Curve(curves[0].cuts.astype(float), precision.mean(axis=0), spread_over_seeds(precision, spread))


LABELS: Mapping[str, tuple[Draw, str, str]] = {
    "precision-recall": (recall_curve, "recall", "precision"),
    "top-n": (top_curve, "number of results N", "precision at N"),
}
"""Kind of figure to its curve and what stands at its axes."""


def ranking_figure(
    kind: str,
    lines: Mapping[str, Mapping[str, Sequence[RetrievalCurves]]],
    *,
    spread: Spread = "sd",
    title: str = "",
    bars: str = "",
) -> Figure:
    """Draw one figure of a kind in `LABELS`.

    Args:
        kind: "precision-recall" or "top-n".
        lines: label to task to curves, one for each seed.
        spread: what the bars are.
        title: above the panels.
        bars: what is said of the bars.
    """
    draw, x_label, y_label = LABELS[kind]
    drawn = [
        Line(
            label,
            line_style(position),
            {task: draw(curves, spread) for task, curves in by_task.items() if curves},
        )
        for position, (label, by_task) in enumerate(lines.items())
    ]
    return line_figure([PanelRow(title, drawn)], x_label=x_label, y_label=y_label, bars=bars)


def ranking_figures(kind: str, shown: Sequence[Series]) -> list[tuple[str, Figure]]:
    """Draw a figure for each comparison and code length.

    Returns:
        Suffix of the file's name, and figure.
    """
    lengths = sorted({series.bits for series in shown})
    found = []
    for comparison in comparisons(shown):
        for bits in lengths:
            lines = {
                label: {task: entrant.by_bits[bits].curves(cell, task) for task in TASKS}
                for label, entrant, cell in comparison.lines
                if bits in entrant.by_bits and cell in entrant.by_bits[bits].cells
            }
            if lines:
                suffix = slug(comparison.suffix, str(bits) if len(lengths) > 1 else "")
                title = f"{comparison.title}, {bits} bits"
                found.append(
                    (
                        suffix,
                        ranking_figure(
                            kind, lines, spread=shown[0].spread, title=title, bars=bars_remark(shown)
                        ),
                    )
                )
    return found
