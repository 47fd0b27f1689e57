"""Figures of lines that fit one column of a paper: rows of panels, and a column of them for each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from umml_cli.report.figures.drawing import WIDTH, new_figure
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Distinct by marker and dash as well as by colour, so that the figure reads in grey (colours: Okabe and Ito).
# The numbers of dashes and markers have no common divisor, so that the first 45 lines are all distinct.
_COLOURS: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "linestyle": "-"},
    {"color": "#D55E00", "linestyle": "--"},
    {"color": "#009E73", "linestyle": "-."},
    {"color": "#CC79A7", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#555555", "linestyle": ":"},
)
_MARKERS = "os^Dv<>P*"
N_MARKS = 8
"""Marks on a line of many points."""

PANEL_HEIGHT = 1.4  # inches
LEGEND_LINE = 0.15


@dataclass(frozen=True)
class Curve:
    """A line in one panel.

    Args:
        x: `(n_point,)`.
        mean: `(n_point,)`, over seeds.
        spread: `(n_point,)` half of the bars' height; None: no bars.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Line:
    """One entry of the legend.

    Args:
        label: its text.
        style: arguments of matplotlib.
        curves: task to curve.
        level: whether a curve is one value, drawn from side to side.
    """

    label: str
    style: Mapping[str, Any]
    curves: Mapping[str, Curve]
    level: bool = False


@dataclass(frozen=True)
class PanelRow:
    """Panels beside each other, one for each task: what the title says of both, and their lines."""

    title: str
    lines: Sequence[Line]


def line_style(position: int) -> dict[str, Any]:
    """Colour, dash and marker of the line at a position, distinct also in grey."""
    return {**_COLOURS[position % len(_COLOURS)], "marker": _MARKERS[position % len(_MARKERS)]}


def line_figure(
    rows: Sequence[PanelRow],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] | None = None,
    bars: str = "",
) -> Figure:
    """Draw lines.

    Args:
        rows: of panels.
        x_label: below the last row.
        y_label: left of each row.
        x_ticks: where the axis has numbers; None: matplotlib's choice.
        bars: what the bars are, said above the legend.
    """
    entries = {line.label: line for row in rows for line in row.lines}
    tasks = list(dict.fromkeys(task for row in rows for line in row.lines for task in line.curves))
    tasks.sort(key=lambda task: TASKS.index(task) if task in TASKS else 0)
    columns = max(1, int((WIDTH - 0.1) / (0.42 + 0.055 * max(map(len, entries), default=1))))
    n_lines = -(-len(entries) // columns) + bool(bars)
    several = len(rows) > 1
    height = PANEL_HEIGHT * len(rows) + 0.25 + LEGEND_LINE * n_lines
    with new_figure(height) as figure:
        grid = figure.subplots(len(rows), len(tasks), sharey="row", sharex=True, squeeze=False)
        for axes, row in zip(grid, rows, strict=True):
            for ax, task in zip(axes, tasks, strict=True):
                title = TASK_TITLES.get(task, task)
                for line in row.lines:
                    if task in line.curves:
                        _plot(ax, line.curves[task], line)
                ax.set_title(f"{row.title}\n{title}" if several and row.title else title)
                ax.grid(visible=True, alpha=0.3, linewidth=0.4)
                ax.spines[["top", "right"]].set_visible(False)
                ax.margins(x=0.04)
            axes[0].set_ylabel(y_label)
            axes[0].set_ylim(bottom=0)
        if not several and rows[0].title:
            figure.suptitle(rows[0].title, fontsize=7)
        for ax in grid[-1]:
            ax.set_xlabel(x_label)
            if x_ticks is not None:
                ax.set_xticks(list(x_ticks))
        handles = {
            label: handle
            for ax in grid.flat
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        order = [label for label in entries if label in handles]
        figure.legend(
            [handles[label] for label in order],
            order,
            loc="outside lower center",
            ncols=min(columns, len(order)),
            frameon=False,
            title=bars or None,
        )
    return figure


def _plot(ax: Axes, curve: Curve, line: Line) -> None:
    if line.level:
        ax.axhline(curve.mean[0], label=line.label, **line.style)
        return
    every = -(-len(curve.x) // N_MARKS)
    ax.errorbar(
        curve.x,
        curve.mean,
        yerr=curve.spread,
        capsize=1.5,
        elinewidth=0.6,
        markevery=every,
        errorevery=every,
        label=line.label,
        **line.style,
    )
