"""Numbers of finished runs: mean and interval over seeds, and the comparisons that the paper makes."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np

from umml_cli.results.intervals import combination_half_width, difference_interval, half_width
from umml_cli.results.retrieval_curves import run_curves
from umml_cli.runs.cells import Cell
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.terms import (
    SIGNIFICANCE_REMARK,
    SPREAD_TITLES,
    TASKS,
    UNPAIRED,
    Selection,
    Spread,
    method_remark,
    method_title,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cmh_data import PairedDataset
    from numpy.typing import NDArray

    from umml_cli.results.retrieval_curves import RetrievalCurves
    from umml_cli.runs.store import RunResult, RunStore


@dataclass(frozen=True)
class Score:
    """The mAP of one cell and task over seeds.

    Args:
        mean: mean over seeds.
        deviation: standard deviation over seeds (n-1), None for a single seed.
        half_width: half of the 95% CI of the mean over seeds, None for a single seed.
        seeds: number of seeds.
    """

    mean: float
    deviation: float | None
    half_width: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Score:
        """Mean and deviation of one value per seed."""
        deviation = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), deviation, half_width(values), len(values))

    def spread(self, kind: Spread) -> float | None:
        """Standard deviation over seeds ("sd") or half of the 95% CI ("interval"); None for one seed."""
        return self.deviation if kind == "sd" else self.half_width

    def text(self, kind: Spread) -> str:
        """Mean and spread as tables print them.

        Example:
            >>> Score.of([0.70, 0.72]).text("sd"), Score.of([0.70]).text("sd")
            ('0.710 ±0.014', '0.700')
        """
        spread = self.spread(kind)
        return f"{self.mean:.3f}" if spread is None else f"{self.mean:.3f} ±{spread:.3f}"


@dataclass(frozen=True)
class Series:
    """All cells of one method in one setting on one data set: what a table or figure shows.

    Args:
        dataset: name of the data set.
        method: name of the method, with the database that it ranks where that is an option: `amsh-learned`.
        bits: code length.
        scores: (cell, task) to score.
        results: the runs behind them.
        selection: which epoch the scores are of.
        store: where the runs' files lie, None where only the scores are known.
        spread: what stands behind ± and bars.
        variant: what sets it apart from others of the same data set, method and code length: "margin 0.5".
    """

    dataset: str
    method: str
    bits: int
    scores: Mapping[tuple[Cell, str], Score]
    results: Sequence[RunResult] = ()
    selection: Selection = "last"
    store: RunStore | None = None
    variant: str = ""
    spread: Spread = "sd"
    _loaded: dict[tuple[Cell, str], NDArray[np.float64]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _curves: dict[Cell, list[dict[str, RetrievalCurves]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def method_title(self) -> str:
        """The method as its package calls it, and what must stand behind its name."""
        known = self.results[0].method_title if self.results else None
        return f"{known}{method_remark(self.method, known)}" if known else method_title(self.method)

    @property
    def title(self) -> str:
        """The series in a heading."""
        variant = f" ({self.variant})" if self.variant else ""
        remark = self.results[0].specification.rows_remark if self.results else ""
        return f"{self.method_title} on {self.dataset}{remark}, {self.bits} bits{variant}"

    @property
    def printed_dataset(self) -> str:
        """The name, if these are the published data of that name; else empty: no published number fits."""
        known = all(
            result.published_data == self.dataset and not result.specification.validation
            for result in self.results
        )
        return self.dataset if known else ""

    @property
    def setting_id(self) -> str:
        """Digest of what its runs have in common."""
        return self.results[0].specification.setting_id

    @property
    def cells(self) -> list[Cell]:
        """The cells in table order."""
        return list(dict.fromkeys(cell for cell, _ in self.scores))

    def score(self, scheme: str, percent: float, task: str) -> Score | None:
        """The score of a cell, None where it was not run."""
        return self.scores.get((Cell.of(scheme, percent), task))

    def change_percent(self, cell: Cell, task: str) -> float | None:
        """Performance difference against paired training, (mAP_u / mAP_p - 1) * 100 (UMML paper, eq. 4)."""
        ratio = self.ratio(cell, Cell.of("paired"), task)
        return None if ratio is None else (ratio - 1) * 100

    def times_untrained(self, cell: Cell, task: str) -> float | None:
        """The cell's mAP as a multiple of the untrained network's."""
        return self.ratio(cell, Cell.of("untrained"), task)

    def ratio(self, cell: Cell, base: Cell, task: str) -> float | None:
        """The cell's mAP as a multiple of another cell's; None where that was not run or is 0."""
        of = self.scores.get((base, task))
        return self.scores[cell, task].mean / of.mean if of is not None and of.mean else None

    def gain_over_discarding(self, cell: Cell, task: str) -> float | None:
        """How much keeping the samples of an unpaired cell gains over discarding as many, in percent.

        Discarding 100% leaves an untrained network. None for other cells, and where nothing was discarded at
        this share.
        """
        if cell.scheme not in UNPAIRED:
            return None
        ratio = self.ratio(cell, discarded_cell(cell.percent), task)
        return None if ratio is None else (ratio - 1) * 100

    def precision(self, cell: Cell, task: str) -> NDArray[np.float64]:
        """`(n_seed, n_query)` average precision of a cell's runs, read once; "both" tasks: their mean."""
        if (cell, task) not in self._loaded:
            self._loaded[cell, task] = (
                np.mean([self.precision(cell, one) for one in TASKS], axis=0)
                if task == "both"
                else self._read_precision(cell, task)
            )
        return self._loaded[cell, task]

    def _read_precision(self, cell: Cell, task: str) -> NDArray[np.float64]:
        assert self.store is not None
        behind = sorted(
            (result for result in self.results if result.specification.cell == cell),
            key=lambda result: result.specification.seed,
        )
        folders = [self.store.folder(result.specification) for result in behind]
        return np.stack([RunPrecision.load(one.precision).task(task, self.selection) for one in folders])

    def curves(self, cell: Cell, task: str) -> list[RetrievalCurves]:
        """Precision and recall of a cell's runs from their stored codes, computed once; one for each seed."""
        assert self.store is not None
        if cell not in self._curves:
            self._curves[cell] = [
                run_curves(self.store.folder(result.specification), self.selection)
                for result in self.results
                if result.specification.cell == cell
            ]
        return [by_task[task] for by_task in self._curves[cell]]

    def half_width(self, weights: Mapping[tuple[Cell, str], float]) -> float | None:
        """Half of the 95% CI of a weighted sum of mAPs, from queries and seeds; None for single seeds.

        Args:
            weights: (cell, task) of cells that were run to the weight of its mAP.
        """
        if self.store is None or any(self.scores[key].seeds < 2 for key in weights if key in self.scores):
            return None
        return combination_half_width([(weight, self.precision(*key)) for key, weight in weights.items()])

    def is_not_significant(self, cell: Cell, other: Cell, task: str) -> bool:
        """Whether the 95% CI of the difference of two cells includes zero; never known of single seeds."""
        seeds = [score.seeds for (one, _), score in self.scores.items() if one in {cell, other}]
        if self.store is None or min(seeds) < 2:
            return False
        low, high = difference_interval(self.precision(cell, task), self.precision(other, task))
        return low <= 0 <= high

    def is_best_of_share(self, cell: Cell, task: str) -> bool:
        """Whether this cell is the best among the unpaired schemes and discarding at the same share."""
        rivals = [
            score.mean for (other, scored), score in self.scores.items()
            if scored == task and other.percent == cell.percent and other.scheme in (*UNPAIRED, "SD")
        ]  # fmt: skip
        return cell.percent > 0 and len(rivals) > 1 and self.scores[cell, task].mean == max(rivals)


def spread_remark(all_series: Iterable[Series]) -> str:
    """What stands behind ± and bars; empty for single seeds."""
    several = {series.spread for series in all_series for score in series.scores.values() if score.seeds > 1}
    return "".join(f"±: {SPREAD_TITLES[spread]} over seeds. " for spread in sorted(several))


def significance_remark(all_series: Iterable[Series]) -> str:
    """What "n.s." means, or why it stands nowhere."""
    seeds = [score.seeds for series in all_series for score in series.scores.values()]
    if max(seeds, default=1) < 2:
        return "One seed: the spread between trainings is not known, so no difference is marked as n.s."
    single = " Differences of single seeds are not marked." if min(seeds) < 2 else ""
    return f"{SIGNIFICANCE_REMARK}{single}"


def data_of(series: Series, datasets: Mapping[str, PairedDataset]) -> PairedDataset | None:
    """The data set of a series, None where it is not there or not the one that the runs saw."""
    dataset = datasets.get(series.dataset)
    digest = series.results[0].specification.data_digest
    return dataset if dataset is not None and dataset.digest == digest else None


def discarded_cell(percent: float) -> Cell:
    """Discarding a share of the pairs; nothing is left of 100% but an untrained network."""
    return Cell.of("untrained") if percent == 100 else Cell.of("SD", percent)


def collect(
    results: Iterable[RunResult],
    *,
    selection: Selection = "last",
    spread: Spread = "sd",
    store: RunStore | None = None,
) -> list[Series]:
    """Put results together by data set, method and all of its settings, seeds averaged.

    Args:
        results: finished runs.
        selection: "last" epoch, or "paper": the best of those that were evaluated, on the test queries.
        spread: what stands behind ± and bars.
        store: where their folders lie; without it nothing is known of significance.
    """
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        groups.setdefault(result.specification.setting_id, []).append(result)
    all_series = []
    for behind in groups.values():
        values: dict[tuple[Cell, str], list[float]] = {}
        for result in behind:
            maps = result.map if selection == "last" else result.best.map
            for task in TASKS:
                values.setdefault((result.specification.cell, task), []).append(maps[task])
        scores = {cell_task: Score.of(maps) for cell_task, maps in values.items()}
        all_series.append(Series(*_names(behind[0]), scores, behind, selection, store, spread=spread))
    return _name_variants(all_series)


def _names(result: RunResult) -> tuple[str, str, int]:
    """Data set, method (with the database that it ranks) and code length of a run."""
    spec = result.specification
    return spec.dataset, spec.label, spec.bits


def _name_variants(all_series: Sequence[Series]) -> list[Series]:
    """Say of series with the same data set, method and code length in which settings they differ."""
    named = []
    for series in all_series:
        own = _settings(series)
        alike = [
            _settings(other) for other in all_series
            if (other.dataset, other.method, other.bits) == (series.dataset, series.method, series.bits)
        ]  # fmt: skip
        differing = [
            name for name in dict.fromkeys(name for settings in alike for name in settings)
            if len({settings.get(name) for settings in alike}) > 1
        ]  # fmt: skip
        named.append(replace(series, variant=", ".join(f"{name} {own.get(name)}" for name in differing)))
    return named


def _settings(series: Series) -> dict[str, str]:
    """Name of each setting and option to its value as text."""
    spec = series.results[0].specification.model_dump(mode="json", exclude={"cell", "seed"})
    settings = {**spec.pop("options"), **spec, "data_digest": spec["data_digest"][:12]}
    return {name: str(value) for name, value in settings.items()}


def summary_csv(all_series: Iterable[Series]) -> str:
    """One row per cell and task: the plain numbers behind tables and figures, mAP with six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = "dataset,method,bits,variant,scheme,percent,task,selection,seeds,map,map_sd,map_half_width"
    writer.writerow(head.split(","))
    for series in all_series:
        for (cell, task), score in series.scores.items():
            spread = ["" if one is None else f"{one:.6f}" for one in (score.deviation, score.half_width)]
            key = (
                series.dataset,
                series.method,
                series.bits,
                series.variant,
                cell.scheme,
                f"{cell.percent:g}",
            )
            writer.writerow([*key, task, series.selection, score.seeds, f"{score.mean:.6f}", *spread])
    return text.getvalue()


def runs_csv(results: Iterable[RunResult]) -> str:
    """One row per run: the last and the best evaluated epoch side by side."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = "run,dataset,method,bits,scheme,percent,seed,epochs,last_i2t,last_t2i,best_epoch,best_i2t,best_t2i"
    writer.writerow(head.split(","))
    for result in results:
        spec = result.specification
        maps = [f"{values[task]:.6f}" for values in (result.map, result.best.map) for task in TASKS]
        writer.writerow([
            spec.run_id, *_names(result), spec.cell.scheme, f"{spec.cell.percent:g}", spec.seed,
            result.epochs, *maps[:2], result.best.epoch, *maps[2:],
        ])  # fmt: skip
    return text.getvalue()
