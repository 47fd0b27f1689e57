"""MAP by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from umml_cli.runs.cells import Cell
from umml_cli.runs.run_codes import RunCodes
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from umml_cli.results.series import Series


@dataclass(frozen=True)
class ClassScores:
    """MAP by class: each cell and task to `(n_label,)`, NaN for a class that no query carries."""

    names: Sequence[str]
    queries: Sequence[int]
    relevant: Sequence[int]
    maps: Mapping[tuple[Cell, str], np.ndarray[tuple[int], np.dtype[np.float64]]]

    def change(self, cell: Cell, task: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """`(n_label,)` change against paired training in percent; NaN for a class whose paired mAP is 0."""
        paired = self.maps[Cell.of("paired"), task]
        return (self.maps[cell, task] / np.where(paired > 0, paired, np.nan) - 1) * 100


def class_scores(series: Series, cells: Sequence[Cell], names: Sequence[str]) -> ClassScores:
    """MAP over the queries that carry each class; an item is relevant if any label is shared."""
    assert series.store is not None
    codes = RunCodes.load(series.store.folder(series.results[0].specification).codes)
    labels = codes.query_labels.astype(np.float64)  # (n_query, n_label)
    queries = labels.sum(axis=0)

    def by_class(precision: NDArray[np.float64]) -> NDArray[np.float64]:
        asked = ~np.isnan(precision[0])
        means: NDArray[np.float64] = precision[:, asked].mean(axis=0) @ labels[asked]
        result: NDArray[np.float64] = means / labels[asked].sum(axis=0)
        return result

    with np.errstate(invalid="ignore"):
        maps = {
            (cell, task): by_class(series.precision(cell, task))
            for cell in cells if (cell, "i2t") in series.scores
            for task in TASKS
        }  # fmt: skip
    n_label = labels.shape[1]
    names = list(names) or [f"label {label}" for label in range(n_label)]
    relevant = codes.retrieval_labels.sum(axis=0, dtype=np.int64)
    return ClassScores(names, queries.astype(int).tolist(), relevant.tolist(), maps)
