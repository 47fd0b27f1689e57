"""Numbers of finished runs: mean and deviation over seeds, and the comparisons that the paper makes."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal

import numpy as np

from umml_cli.cells import Cell
from umml_cli.noise import difference_interval, half_width
from umml_cli.precision import RunPrecision
from umml_cli.store import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from umml_cli.store import RunResult, RunStore

Selection = Literal["last", "paper"]

UNPAIRED = ("UI", "UT", "UIT")
SELECTION_TITLES: dict[Selection, str] = {
    "last": "last epoch, none chosen on the queries",
    "paper": "best evaluated epoch, chosen on the test queries as the authors do",
}


@dataclass(frozen=True)
class Score:
    """The mAP of one cell and task over seeds.

    Args:
        mean: mean over seeds.
        deviation: standard deviation over seeds (n-1), None for a single seed.
        half_width: half of the 95 % interval of the mean over seeds, None for a single seed.
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

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.deviation is None else f"{self.mean:.3f} ±{self.deviation:.3f}"


@dataclass(frozen=True)
class Series:
    """All cells of one method on one data set at one code length: what a table or figure shows.

    Args:
        dataset: name of the data set.
        method: name of the method.
        bits: code length.
        scores: (cell, task) to score.
        results: the runs behind them.
        selection: which epoch the scores are of.
        store: where the runs' files lie, None where only the scores are known.
    """

    dataset: str
    method: str
    bits: int
    scores: Mapping[tuple[Cell, str], Score]
    results: Sequence[RunResult] = ()
    selection: Selection = "last"
    store: RunStore | None = None

    def holds(self, result: RunResult) -> bool:
        """Whether the run belongs to this series."""
        return series_key(result) == (self.dataset, self.method, self.bits)

    @property
    def cells(self) -> list[Cell]:
        """The cells in table order."""
        return list(dict.fromkeys(cell for cell, _ in self.scores))

    def score(self, scheme: str, percent: float, task: str) -> Score | None:
        """The score of a cell, None where it was not run."""
        return self.scores.get((Cell.of(scheme, percent), task))

    def change_percent(self, cell: Cell, task: str) -> float | None:
        """Performance difference against paired training, (mAP_u / mAP_p - 1) * 100 (UMML paper, eq. 4)."""
        paired = self.score("paired", 0, task)
        return None if paired is None else (self.scores[cell, task].mean / paired.mean - 1) * 100

    def times_untrained(self, cell: Cell, task: str) -> float | None:
        """The cell's mAP as a multiple of the untrained network's."""
        untrained = self.score("untrained", 0, task)
        return None if untrained is None else self.scores[cell, task].mean / untrained.mean

    def gain_over_discarding(self, cell: Cell, task: str) -> float | None:
        """How much keeping the samples of an unpaired cell gains over discarding as many, in percent.

        Discarding 100 % leaves an untrained network. None for other cells, and where nothing was discarded at
        this share.
        """
        if cell.scheme not in UNPAIRED:
            return None
        discarded = self.scores.get((discarded_cell(cell.percent), task))
        return None if discarded is None else (self.scores[cell, task].mean / discarded.mean - 1) * 100

    def precision(self, cell: Cell, task: str) -> NDArray[np.float64]:
        """`(n_seed, n_query)` average precision of a cell's runs; "both" tasks: their mean."""
        assert self.store is not None
        if task == "both":
            both: NDArray[np.float64] = np.mean([self.precision(cell, one) for one in TASKS], axis=0)
            return both
        behind = sorted(
            (result for result in self.results if result.specification.cell == cell),
            key=lambda result: result.specification.seed,
        )
        folders = [self.store.folder(result.specification) for result in behind]
        return np.stack([RunPrecision.load(one.precision).task(task, self.selection) for one in folders])

    def is_noise(self, cell: Cell, other: Cell, task: str) -> bool:
        """Whether the 95 % interval of the difference of two cells that were run holds zero."""
        if self.store is None:
            return False
        low, high = difference_interval(self.precision(cell, task), self.precision(other, task))
        return low <= 0 <= high

    def is_best_of_share(self, cell: Cell, task: str) -> bool:
        """Whether this cell is the best among the unpaired schemes and discarding at the same share."""
        rivals = [
            score.mean for (other, of), score in self.scores.items()
            if of == task and other.percent == cell.percent and other.scheme in (*UNPAIRED, "SD")
        ]  # fmt: skip
        return cell.percent > 0 and len(rivals) > 1 and self.scores[cell, task].mean == max(rivals)


def discarded_cell(percent: float) -> Cell:
    """Discarding a share of the pairs; nothing is left of 100 % but an untrained network."""
    return Cell.of("untrained") if percent == 100 else Cell.of("SD", percent)


def series_key(result: RunResult) -> tuple[str, str, int]:
    """Data set, method and code length of a run."""
    spec = result.specification
    return spec.dataset, spec.method, int(str(spec.options["bits"]))


def collect(
    results: Iterable[RunResult], *, selection: Selection = "last", store: RunStore | None = None
) -> list[Series]:
    """Put results together by data set, method and code length, seeds averaged.

    Args:
        results: finished runs.
        selection: "last" epoch, or "paper": the best of those that were evaluated, on the test queries.
        store: where their folders lie; without it nothing is known of noise.
    """
    groups: dict[tuple[str, str, int], list[RunResult]] = {}
    for result in results:
        groups.setdefault(series_key(result), []).append(result)
    all_series = []
    for key, behind in groups.items():
        values: dict[tuple[Cell, str], list[float]] = {}
        for result in behind:
            maps = result.map if selection == "last" else result.best.map
            for task in TASKS:
                values.setdefault((result.specification.cell, task), []).append(maps[task])
        scores = {cell_task: Score.of(maps) for cell_task, maps in values.items()}
        all_series.append(Series(*key, scores, behind, selection, store))
    return all_series


def summary_csv(all_series: Iterable[Series]) -> str:
    """One row per cell and task: the plain numbers behind tables and figures, mAP with six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dataset", "method", "bits", "scheme", "percent", "task", "seeds", "map", "map_sd"])
    for series in all_series:
        for (cell, task), score in series.scores.items():
            deviation = "" if score.deviation is None else f"{score.deviation:.6f}"
            share, mean = f"{cell.percent:g}", f"{score.mean:.6f}"
            key = (series.dataset, series.method, series.bits, cell.scheme, share, task)
            writer.writerow([*key, score.seeds, mean, deviation])
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
            spec.run_id, *series_key(result), spec.cell.scheme, f"{spec.cell.percent:g}", spec.seed,
            result.epochs, *maps[:2], result.best.epoch, *maps[2:],
        ])  # fmt: skip
    return text.getvalue()
