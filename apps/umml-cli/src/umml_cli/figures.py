"""Figures in the manner of the paper: mAP against the share of unpaired samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.files import replacing
from umml_cli.store import TASKS
from umml_cli.tables import TASK_TITLES

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from umml_cli.results import Series

# Distinct by marker and dash as well as by colour, so that the figure reads in grey (colours: Okabe and Ito).
STYLES = {
    "UI": {"color": "#0072B2", "marker": "o", "linestyle": "-", "label": "UI: text removed"},
    "UT": {"color": "#D55E00", "marker": "s", "linestyle": "--", "label": "UT: image removed"},
    "UIT": {"color": "#009E73", "marker": "^", "linestyle": "-.", "label": "UIT: half each"},
    "SD": {"color": "#555555", "marker": "x", "linestyle": ":", "label": "SD: samples discarded"},
}


def share_figure(series: Series) -> Figure:
    """MAP of both tasks against the share of changed training pairs (UMML paper, Figures 5 to 7 and 9)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second of import

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, len(TASKS), sharey=True)
    for ax, task in zip(axes, TASKS, strict=True):
        for scheme, style in STYLES.items():
            points = [
                (cell.percent, series.scores[cell, task]) for cell in series.cells if cell.scheme == scheme
            ]
            paired = series.score("paired", 0, task)
            points = sorted(
                [*([(0.0, paired)] if paired and points else []), *points], key=lambda point: point[0]
            )
            if points:
                ax.errorbar(
                    [percent for percent, _ in points],
                    [score.mean for _, score in points],
                    yerr=None
                    if points[-1][1].deviation is None
                    else [score.deviation or 0 for _, score in points],
                    capsize=3,
                    **style,
                )
        untrained = series.score("untrained", 0, task)
        if untrained is not None:
            ax.axhline(
                untrained.mean, color="#000000", linewidth=0.8, linestyle=(0, (1, 3)), label="untrained"
            )
        ax.set(title=TASK_TITLES[task], xlabel="training pairs changed (%)", xlim=(-3, 103))
        ax.grid(visible=True, alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("mAP")
    axes[0].set_ylim(bottom=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    figure.suptitle(f"{series.method.upper()} on {series.dataset}, {series.bits} bits", fontsize=11)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as `path` with suffix `.png` and `.svg`; the same figure gives the same bytes."""
    from matplotlib import rc_context  # noqa: PLC0415 - half a second of import

    with rc_context({"svg.hashsalt": "umml", "svg.fonttype": "path"}):
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
            with replacing(path.with_suffix(suffix)) as temporary:
                figure.savefig(temporary, dpi=150, metadata=metadata)
