"""Every method beside the others on one data set at one code length, with who is significantly behind.

Methods that rank codes learned from the ranked items' own labels stand in a table of their own. Before them
all, for each code length, what is kept of the mAP with all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from umml_cli.report.paper_tables.table import (
    Entry,
    Exhibited,
    PaperTable,
    Row,
    competition,
    database_remarks,
    is_learned,
)
from umml_cli.results.intervals import difference_interval
from umml_cli.runs.cells import Cell
from umml_cli.terms import (
    METHOD_REMARKS,
    NOT_SIGNIFICANT,
    SELECTION_TITLES,
    SPREAD_TITLES,
    TASK_TITLES,
    TASKS,
    split_label,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cmh_train import MethodSpec

    from umml_cli.grid.experiment import Experiment
    from umml_cli.results.series import Series

_FROZEN = "frozen features"
COLUMNS = ("method", "learns from labels", _FROZEN)
REMARKS = (
    "Empty: not run yet; (n): only n of these seeds are complete.",
    "Bold: the best of a column; n.s.: not significantly behind it, the 95% CI includes zero.",
    "Training, s: median over seeds of the paired training, beside whatever else the machine did.",
    "Frozen features: the published numbers come from a fine-tuned network.",
)


LEARNED_REMARK = (
    "Methods with a learned database stand in tables of their own and are compared among themselves alone; a "
    "learned database exists only where training items are ranked."
)


RETAINED_REMARK = (
    "Kept of the paired mAP: 100 · mAP / mAP paired, the mean over data sets and both tasks; (n): over n of "
    "the data sets."
)


def leaderboard_tables(exhibited: Exhibited) -> list[PaperTable]:
    """Return a table for each data set and code length that has a run; methods without one stay empty.

    Methods that rank learned codes follow in a second one. First, where some pairs were changed, one for each
    code length with the percentage of the paired mAP that is kept.
    """
    shown = exhibited.shown
    retained = [
        table for bits in sorted({series.bits for series in shown})
        if (table := _retained(exhibited, bits, [series for series in shown if series.bits == bits]))
    ]  # fmt: skip
    return [*retained, *_score_tables(exhibited)]


def _retained(exhibited: Exhibited, bits: int, shown: Sequence[Series]) -> PaperTable | None:
    """What each method keeps of its paired mAP where pairs were changed; None where there is nothing."""
    paired = Cell.of("paired")
    kept: dict[tuple[str, str], dict[Cell, list[float]]] = {}  # method and variant, cell, data sets and tasks
    for series in shown:
        for cell, task in series.scores:
            ratio = series.ratio(cell, paired, task) if cell.trained and cell != paired else None
            if ratio is not None:
                kept.setdefault((series.method, series.variant), {}).setdefault(cell, []).append(100 * ratio)
    if not kept:
        return None
    cells = [cell for cell in exhibited.experiment.grid() if any(cell in own for own in kept.values())]
    full = len({series.dataset for series in shown}) * len(TASKS)
    order = {label: place for place, label in enumerate(exhibited.experiment.methods)}
    rows = tuple(
        Row(
            (_title(*line), _marks(line[0])[0]),
            "ours",
            tuple(_retained_entry(kept[line].get(cell, ()), full) for cell in cells),
            line[0],
        )
        for line in sorted(kept, key=lambda line: order.get(line[0], len(order)))
    )
    return PaperTable(
        f"{exhibited.name}-kept-{bits}",
        f"{exhibited.experiment.title}: percentage of the paired mAP that is kept, {bits} bits",
        COLUMNS[:2],
        tuple(("", cell.title) for cell in cells),
        rows,
        remarks=(RETAINED_REMARK,),
    )


def _retained_entry(ratios: Sequence[float], full: int) -> Entry:
    if not ratios:
        return Entry("")
    value = fmean(ratios)
    fewer = f" ({len(ratios) // len(TASKS)})" if len(ratios) < full else ""
    return Entry(f"{value:.0f}{fewer}", value)


def _score_tables(exhibited: Exhibited) -> list[PaperTable]:
    """A table for each data set, code length and kind of database."""
    shown = exhibited.shown
    datasets = dict.fromkeys(series.dataset for series in shown)
    lengths = sorted({series.bits for series in shown})
    return [
        _table(exhibited, dataset, bits, own, learned=learned)
        for dataset, bits, learned in product(datasets, lengths, (False, True))
        if (own := [
            series for series in shown
            if (series.dataset, series.bits, is_learned(series.method)) == (dataset, bits, learned)
        ])
    ]  # fmt: skip


def _table(
    exhibited: Exhibited, dataset: str, bits: int, shown: Sequence[Series], *, learned: bool
) -> PaperTable:
    experiment = exhibited.experiment
    cells = experiment.grid()
    columns = {key: _Column(*key, shown) for key in product(TASKS, cells)}
    rows = [
        Row(
            (_title(series.method, series.variant), *_marks(series.method)),
            "ours",
            (*(column.entry(series, experiment.seeds) for column in columns.values()), _seconds(series)),
            series.method,
        )
        for series in sorted(shown, key=lambda series: _merit(series, cells), reverse=True)
    ]
    rows += [
        Row((_title(label), *_marks(label)), "ours", tuple(Entry("") for _ in range(len(columns) + 1)), label)
        for label in _without_run(experiment, shown)
        if is_learned(label) == learned
    ]
    titles = ((TASK_TITLES[task], cell.title) for task, cell in columns)
    return PaperTable(
        f"{exhibited.name}-{dataset}-{bits}" + "-learned" * learned,
        f"{experiment.title}: {dataset}, {bits} bits" + ", learned database" * learned,
        COLUMNS,
        (*titles, ("", "training, s")),
        tuple(rows),
        remarks=_remarks(exhibited, shown),
    )


@dataclass(frozen=True)
class _Column:
    """One task under one way of training."""

    task: str
    cell: Cell
    shown: Sequence[Series]

    def best_of(self, key: tuple[Any, ...] | None) -> Series | None:
        """The method with the highest mean in a competition; None where only one was run."""
        there = [
            series for series in self.shown
            if (self.cell, self.task) in series.scores and competition(series, self.cell) == key
        ]  # fmt: skip
        if key is None or len(there) < 2:
            return None
        return max(there, key=lambda series: series.scores[self.cell, self.task].mean)

    def entry(self, series: Series, seeds: int) -> Entry:
        score = series.scores.get((self.cell, self.task))
        if score is None:
            return Entry("")
        text = score.text(series.spread)
        best = self.best_of(competition(series, self.cell))
        if best is not None and self._is_level(series, best):
            text += NOT_SIGNIFICANT
        if score.seeds < seeds:
            text += f" ({score.seeds})"
        return Entry(text, score.mean, bold=series is best)

    def _is_level(self, series: Series, best: Series) -> bool:
        """Whether the 95% CI of its difference to the best includes zero; never known of single seeds."""
        single = any(one.scores[self.cell, self.task].seeds < 2 for one in (series, best))
        if series is best or single or best.store is None or series.store is None:
            return False
        ours, theirs = (one.precision(self.cell, self.task) for one in (best, series))
        if ours.shape[1] != theirs.shape[1]:
            return False  # the data set has changed between the runs: no common queries
        low, high = difference_interval(ours, theirs)
        return bool(low <= 0 <= high)


def _merit(series: Series, cells: Sequence[Cell]) -> tuple[int, float]:
    """Which is the first way of training that was run, and its mAP, the mean of both tasks."""
    for place, cell in enumerate(cells):
        if (cell, TASKS[0]) in series.scores:
            return -place, fmean(series.scores[cell, task].mean for task in TASKS)
    return -len(cells), 0.0


def _seconds(series: Series) -> Entry:
    trained = [result for result in series.results if result.specification.cell.trained]
    paired = [result for result in trained if result.specification.cell.scheme == "paired"] or trained
    if not paired:
        return Entry("")
    value = median(result.seconds["training"] for result in paired)
    return Entry(f"{value:,.0f}" if value >= 10 else f"{value:.1f}", value)


def _title(label: str, variant: str = "") -> str:
    name, database = split_label(label)
    remark = METHOD_REMARKS.get(name, "")
    database = f"{database} database" if database else ""
    said = ", ".join(one for one in (database, remark, variant) if one not in {"", _FROZEN})
    return f"{name.upper()} ({said})" if said else name.upper()


def _marks(label: str) -> tuple[str, str]:
    """Whether a method learns from labels, and which network's features stay frozen, unlike the published."""
    spec = _specification(label)
    if spec is None:
        return "not installed", "not installed"
    learns = "yes" if spec.supervised else "no"
    if is_learned(label):
        learns = "yes, the ranked items' too"
    return learns, "no" if spec.fine_tuned is None else f"yes ({spec.fine_tuned} published)"


def _specification(label: str) -> MethodSpec | None:
    from cmh_train import available_methods  # noqa: PLC0415 - brings torch

    return available_methods().get(split_label(label)[0])


def _without_run(experiment: Experiment, shown: Sequence[Series]) -> Iterator[str]:
    """Methods of the grid that have no run here yet."""
    run = {series.method for series in shown}
    names = {split_label(label)[0] for label in run}
    for label in experiment.methods:
        if label not in run and (split_label(label)[1] or label not in names):
            yield label


def _remarks(exhibited: Exhibited, shown: Sequence[Series]) -> tuple[str, ...]:
    seeds = exhibited.experiment.seeds
    over = f"mean over {seeds} seeds ± {SPREAD_TITLES[shown[0].spread]}" if seeds > 1 else "1 seed"
    first, *later = exhibited.experiment.grid()
    without = "; methods without it follow, by the next column that they have" if later else ""
    return (
        f"mAP: {SELECTION_TITLES[shown[0].selection]}; {over}.",
        f"Sorted by the mean of both tasks under the first condition, {first.title}{without}.",
        *REMARKS,
        *([LEARNED_REMARK] if any(is_learned(label) for label in exhibited.experiment.methods) else ()),
        *database_remarks(shown),
    )
