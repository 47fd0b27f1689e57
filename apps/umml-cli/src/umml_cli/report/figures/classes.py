"""Change of mAP by class (UMML paper, Figure 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umml_cli.report.figures.drawing import WIDTH, new_figure
from umml_cli.results.class_scores import class_scores
from umml_cli.terms import TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from umml_cli.results.series import Series

_BARS: tuple[dict[str, Any], ...] = (
    {"color": "#333333"},
    {"color": "#cccccc", "hatch": "//////"},
    {"color": "#888888", "hatch": "......"},
    {"color": "#ffffff", "hatch": "xxxxxx"},
)


def class_figure(series: Series, names: Sequence[str]) -> Figure:
    """Draw the change of mAP by class against paired training, a bar for each changed cell.

    Args:
        series: the numbers; one of its cells must be paired.
        names: of the labels.
    """
    changed = [cell for cell in series.cells if cell.percent]
    scores = class_scores(series, series.cells, names)
    columns = max(1, int(WIDTH / 0.9))
    with new_figure(0.7 + 0.15 * -(-len(changed) // columns) + 0.17 * len(scores.names)) as figure:
        axes = figure.subplots(1, len(TASKS), sharex=True, sharey=True)
        height = 0.8 / len(changed)
        for ax, task in zip(axes, TASKS, strict=True):
            for position, cell in enumerate(changed):
                places = [
                    label + (position - (len(changed) - 1) / 2) * height for label in range(len(scores.names))
                ]
                style = {"edgecolor": "#333333", "linewidth": 0.4, **_BARS[position % len(_BARS)]}
                ax.barh(places, scores.change(cell, task), height, label=cell.title, **style)
            ax.axvline(0, color="#000000", linewidth=0.6)
            ax.set_title(TASK_TITLES[task])
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_yticks(range(len(scores.names)), scores.names)
        axes[0].invert_yaxis()
        figure.supxlabel("change of mAP vs. paired (%)", fontsize=7)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)
    return figure
