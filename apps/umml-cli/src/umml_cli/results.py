"""Numbers of finished runs: mean and deviation over seeds, and the comparisons that the paper makes."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from umml_cli.store import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from umml_cli.cells import Cell
    from umml_cli.store import RunResult

UNPAIRED = ("UI", "UT", "UIT")


@dataclass(frozen=True)
class Score:
    """The mAP of one cell and task over seeds.

    Args:
        mean: mean over seeds.
        deviation: standard deviation over seeds (n-1), None for a single seed.
        seeds: number of seeds.
    """

    mean: float
    deviation: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Score:
        """Mean and deviation of one value per seed."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))

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
    """

    dataset: str
    method: str
    bits: int
    scores: Mapping[tuple[Cell, str], Score]

    def holds(self, result: RunResult) -> bool:
        """Whether the run belongs to this series."""
        return series_key(result) == (self.dataset, self.method, self.bits)

    @property
    def cells(self) -> list[Cell]:
        """The cells in table order."""
        return list(dict.fromkeys(cell for cell, _ in self.scores))

    def score(self, scheme: str, percent: float, task: str) -> Score | None:
        """The score of a cell, None where it was not run."""
        return next(
            (score for (cell, of), score in self.scores.items()
             if (cell.scheme, cell.percent, of) == (scheme, percent, task)), None)  # fmt: skip

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
        discarded = (
            self.score("untrained", 0, task) if cell.percent == 100 else self.score("SD", cell.percent, task)
        )
        return None if discarded is None else (self.scores[cell, task].mean / discarded.mean - 1) * 100

    def is_best_of_share(self, cell: Cell, task: str) -> bool:
        """Whether this cell is the best among the unpaired schemes and discarding at the same share."""
        rivals = [
            score.mean for (other, of), score in self.scores.items()
            if of == task and other.percent == cell.percent and other.scheme in (*UNPAIRED, "SD")
        ]  # fmt: skip
        return cell.percent > 0 and len(rivals) > 1 and self.scores[cell, task].mean == max(rivals)


def series_key(result: RunResult) -> tuple[str, str, int]:
    """Data set, method and code length of a run."""
    spec = result.specification
    return spec.dataset, spec.method, int(str(spec.options["bits"]))


def collect(results: Iterable[RunResult]) -> list[Series]:
    """Put results together by data set, method and code length, seeds averaged."""
    values: dict[tuple[str, str, int], dict[tuple[Cell, str], list[float]]] = {}
    for result in results:
        series = values.setdefault(series_key(result), {})
        for task in TASKS:
            series.setdefault((result.specification.cell, task), []).append(result.map[task])
    return [
        Series(dataset, method, bits, {key: Score.of(maps) for key, maps in scores.items()})
        for (dataset, method, bits), scores in values.items()
    ]


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
