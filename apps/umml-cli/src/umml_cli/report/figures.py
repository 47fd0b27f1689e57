"""Figures in the manner of the paper: mAP against the share of unpaired samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umml_cli.results.class_scores import class_scores
from umml_cli.results.published import BITS, maps_of
from umml_cli.results.series import spread_remark
from umml_cli.runs.files import replacing
from umml_cli.terms import TASK_TITLES, TASKS, method_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from umml_cli.grid.experiment import Experiment
    from umml_cli.results.series import Score, Series
    from umml_cli.runs.cells import Cell

# Distinct by marker and dash as well as by colour, so that the figure reads in grey (colours: Okabe and Ito).
STYLES = {
    "UI": {"color": "#0072B2", "marker": "o", "linestyle": "-", "label": "UI: text removed"},
    "UT": {"color": "#D55E00", "marker": "s", "linestyle": "--", "label": "UT: image removed"},
    "UIT": {"color": "#009E73", "marker": "^", "linestyle": "-.", "label": "UIT: half each"},
    "SD": {"color": "#555555", "marker": "x", "linestyle": ":", "label": "SD: samples discarded"},
}


# The lengths have no common divisor, so that the first 45 lines are all distinct.
_COLOURS: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "linestyle": "-"},
    {"color": "#D55E00", "linestyle": "--"},
    {"color": "#009E73", "linestyle": "-."},
    {"color": "#CC79A7", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#555555", "linestyle": ":"},
)
_MARKERS = "os^Dv<>P*"


def line_style(position: int) -> dict[str, Any]:
    """Colour, dash and marker of the line at a position, distinct also in grey."""
    return {**_COLOURS[position % len(_COLOURS)], "marker": _MARKERS[position % len(_MARKERS)]}


def scheme_figure(experiment: Experiment, all_series: Sequence[Series]) -> Figure:
    """MAP against the share changed, a line for each method (UMML paper, Figures 5 to 9).

    A row of panels for each data set and scheme of the experiment, a column for each task. Published numbers
    are hollow grey marks, bars the 95% CI over seeds.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second of import

    schemes = [scheme for scheme in experiment.cells if scheme not in {"paired", "untrained"}]
    datasets = list(dict.fromkeys(series.dataset for series in all_series))
    panels = [(dataset, scheme) for dataset in datasets for scheme in schemes]
    figure = Figure(figsize=(9, 0.9 + 2.9 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), len(TASKS), sharey="row", squeeze=False)
    lines = list(dict.fromkeys((series.method, series.bits) for series in all_series))
    for axes, (dataset, scheme) in zip(grid, panels, strict=True):
        here = [series for series in all_series if series.dataset == dataset]
        for ax, task in zip(axes, TASKS, strict=True):
            for series in here:
                style = line_style(lines.index((series.method, series.bits)))
                _plot_scheme(ax, series, scheme, task, style)
            _dress(ax, f"{dataset}, {scheme}: {TASK_TITLES[task]}")
        axes[0].set_ylabel("mAP")
        axes[0].set_ylim(bottom=0)
    _add_legend(figure, all_series, columns=4)
    figure.suptitle(experiment.title, fontsize=11)
    return figure


def _plot_scheme(ax: Axes, series: Series, scheme: str, task: str, style: dict[str, Any]) -> None:
    def points(scores: Mapping[tuple[Cell, str], Any]) -> list[tuple[float, Any]]:
        found = [
            (cell.percent, value)
            for (cell, scored), value in scores.items()
            if scored == task and cell.scheme in {scheme, "paired"}
        ]
        return sorted(found, key=lambda point: point[0])

    _plot_scores(
        ax, points(series.scores), label=f"{method_title(series.method)} {series.bits} bits", **style
    )
    untrained = series.score("untrained", 0, task)
    if untrained is not None:
        ax.axhline(
            untrained.mean, color=style["color"], linewidth=0.7, linestyle=(0, (1, 3)),
            label=f"{method_title(series.method)} untrained",
        )  # fmt: skip
    published = points(maps_of(series.printed_dataset, series.method)) if series.bits == BITS else []
    if published:
        ax.plot(
            *zip(*published, strict=True),
            color="#888888",
            marker=style["marker"],
            markerfacecolor="none",
            linestyle="none",
            label=f"{method_title(series.method)} published",
        )


def _plot_scores(ax: Axes, points: Sequence[tuple[float, Score]], **style: Any) -> None:
    """A line of means, with bars where there are several seeds."""
    if not points:
        return
    several = any(score.half_width is not None for _, score in points)
    ax.errorbar(
        [percent for percent, _ in points],
        [score.mean for _, score in points],
        yerr=[score.half_width or 0.0 for _, score in points] if several else None,
        capsize=3,
        **style,
    )


def class_figure(experiment: Experiment, series: Series, names: Sequence[str]) -> Figure:
    """Change of mAP by class against paired training, a bar for each scheme (UMML paper, Figure 10)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second of import

    changed = [cell for cell in experiment.grid() if cell.percent]
    scores = class_scores(series, experiment.grid(), names)
    figure = Figure(figsize=(9, 1.4 + 0.3 * len(scores.names)), layout="constrained")
    axes = figure.subplots(1, len(TASKS), sharex=True, sharey=True)
    height = 0.8 / len(changed)
    bars: tuple[dict[str, Any], ...] = (
        {"color": "#333333"},
        {"color": "#cccccc", "hatch": "///"},
        {"color": "#888888", "hatch": "..."},
    )
    for ax, task in zip(axes, TASKS, strict=True):
        for position, cell in enumerate(changed):
            places = [
                label + (position - (len(changed) - 1) / 2) * height for label in range(len(scores.names))
            ]
            style = {"edgecolor": "#333333", "linewidth": 0.5, **bars[position % len(bars)]}
            ax.barh(places, scores.change(cell, task), height, label=cell.title, **style)
        ax.axvline(0, color="#000000", linewidth=0.8)
        ax.set(title=TASK_TITLES[task], xlabel="change of mAP against paired (%)")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(scores.names)), scores.names)
    axes[0].invert_yaxis()
    _add_legend(figure, columns=len(changed))
    figure.suptitle(f"{experiment.title}: {method_title(series.method)} on {series.dataset}", fontsize=11)
    return figure


def _add_legend(figure: Figure, all_series: Iterable[Series] = (), *, columns: int) -> None:
    """One legend for what any panel shows, lines before what they are compared with; says what bars are."""
    entries = {
        label: handle
        for ax in figure.axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    order = sorted(entries, key=lambda label: label.endswith(("published", "untrained")))
    bars = "Bars: 95% CI over seeds (Student's t)"
    figure.legend(
        [entries[label] for label in order],
        order,
        loc="outside lower center",
        ncols=min(columns, len(order)),
        frameon=False,
        fontsize=9,
        title=bars if spread_remark(all_series) else None,
        title_fontsize=8,
    )


def _dress(ax: Axes, title: str) -> None:
    ax.set_title(title, fontsize=10)
    ax.set(xlabel="affected training pairs (%)", xlim=(-3, 103))
    ax.grid(visible=True, alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def share_figure(series: Series) -> Figure:
    """MAP of both tasks against the share of changed training pairs (UMML paper, Figures 5 to 7 and 9).

    Bars are the 95% CI over seeds.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second of import

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, len(TASKS), sharey=True)
    for ax, task in zip(axes, TASKS, strict=True):
        for scheme, style in STYLES.items():
            points = [
                (cell.percent, series.scores[cell, task]) for cell in series.cells if cell.scheme == scheme
            ]
            paired = series.score("paired", 0, task)
            start = [(0.0, paired)] if paired and points else []
            _plot_scores(ax, sorted([*start, *points], key=lambda point: point[0]), **style)
        untrained = series.score("untrained", 0, task)
        if untrained is not None:
            ax.axhline(
                untrained.mean, color="#000000", linewidth=0.8, linestyle=(0, (1, 3)), label="untrained"
            )
        _dress(ax, TASK_TITLES[task])
    axes[0].set_ylabel("mAP")
    axes[0].set_ylim(bottom=0)
    _add_legend(figure, [series], columns=5)
    figure.suptitle(series.title, fontsize=11)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as `path` with suffix `.png` and `.svg`; the same figure gives the same bytes."""
    from matplotlib import rc_context  # noqa: PLC0415 - half a second of import

    with rc_context({"svg.hashsalt": "umml", "svg.fonttype": "path"}):
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
            with replacing(path.with_suffix(suffix)) as temporary:
                figure.savefig(temporary, dpi=150, metadata=metadata)
