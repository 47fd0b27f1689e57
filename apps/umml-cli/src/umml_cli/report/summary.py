"""What came out, in sentences made from the numbers alone."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

from umml_cli.results.paper_claims import keeping_wins
from umml_cli.results.series import discarded_cell
from umml_cli.runs.cells import Cell
from umml_cli.terms import SCHEME_TITLES, TASK_TITLES, TASKS, UNPAIRED, method_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from umml_cli.results.series import Series

CHANGES = {
    "UIT": "{0:g}% of the training pairs unpaired, half of these without text and half without image",
    "UI": "the text of {0:g}% of the training pairs removed",
    "UT": "the image of {0:g}% of the training pairs removed",
    "SD": "{0:g}% of the training pairs discarded",
}
"""How a sentence names what was done to a share of the pairs, the first that was run before the others."""


def result_sentence(all_series: Sequence[Series]) -> str:
    """The result in one sentence: what is left of paired training, or else the highest mAP."""
    for scheme, change in CHANGES.items():
        shares = {
            cell.percent
            for series in all_series
            for cell in series.cells
            if cell.scheme == scheme and _kept(series, cell) is not None
        }
        if shares:
            share = 60 if 60 in shares else max(shares)
            cell = Cell.of(scheme, share)
            return f"With {change.format(share)}, {_what_is_left(all_series, cell)}."
    best = max(all_series, key=lambda series: max(_mean(series, cell) or 0 for cell in series.cells))
    cell = max(best.cells, key=lambda one: _mean(best, one) or 0)
    maps = " and ".join(f"{best.scores[cell, task].mean:.3f} {TASK_TITLES[task]}" for task in TASKS)
    if len(all_series) == 1 == len(best.cells):
        return f"{best.title} reaches an mAP of {maps} ({cell.title})."
    return f"The highest mAP is {maps}: {best.title}, {cell.title}."


def _what_is_left(all_series: Sequence[Series], cell: Cell) -> str:
    kept = {
        series.title: (series, left) for series in all_series if (left := _kept(series, cell)) is not None
    }
    discarded = discarded_cell(cell.percent)
    gone = "the same pairs discarded" if discarded.trained else "an untrained network"
    if len(kept) == 1:
        ((series, left),) = kept.values()
        said = " and ".join(f"{100 * left[task]:.0f}% {TASK_TITLES[task]}" for task in TASKS)
        name = f"{method_title(series.method)} on {series.dataset}"
        against = _kept(series, discarded)
        rival = ""
        if against is not None and cell.scheme in UNPAIRED:
            rival = f"; with {gone} it keeps {' and '.join(f'{100 * against[task]:.0f}%' for task in TASKS)}"
        return f"{name} keeps {said} of its paired mAP{rival}"
    means = {title: fmean(left.values()) for title, (_, left) in kept.items()}
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    against_all = [
        fmean(left.values()) for series, _ in kept.values() if (left := _kept(series, discarded)) is not None
    ]
    rival = ""
    if against_all and cell.scheme in UNPAIRED:
        rival = f" against {100 * median(against_all):.0f}% with {gone}"
    return (
        f"{len(kept)} settings keep a median of {100 * median(means.values()):.0f}% of their paired mAP"
        f"{rival}; the most is {100 * means[most]:.0f}% ({most}), "
        f"the least {100 * means[least]:.0f}% ({least})"
    )


def _kept(series: Series, cell: Cell) -> dict[str, float] | None:
    """Task to the share of the paired mAP that a cell keeps, None where one of the two was not run."""
    changes = {task: series.change_percent(cell, task) for task in TASKS if (cell, task) in series.scores}
    if len(changes) < len(TASKS) or any(change is None for change in changes.values()):
        return None
    return {task: 1 + change / 100 for task, change in changes.items() if change is not None}


def _mean(series: Series, cell: Cell) -> float | None:
    scores = [series.scores[cell, task].mean for task in TASKS if (cell, task) in series.scores]
    return fmean(scores) if scores else None


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
    for cell in series.cells:
        if cell.scheme not in UNPAIRED or cell.percent != 60:
            continue
        change = {task: series.change_percent(cell, task) for task in TASKS}
        if None not in change.values():
            said = ", ".join(f"{change[task]:+.0f}% {TASK_TITLES[task]}" for task in TASKS)
            sentences.append(f"{cell.title}, {SCHEME_TITLES[cell.scheme]}: mAP {said}.")
    kept = keeping_wins(series)
    if kept is not None:
        rest = (
            ""
            if kept.not_significant is None
            else f"; opposite direction in {kept.opposite}, not significant in {kept.not_significant}"
        )
        sentences.append(
            f"Keeping the unpaired samples beats discarding as many in {kept.shown} of {kept.of} "
            f"comparisons{rest}."
        )
    return sentences
