"""Average precision of every query of a run, for means by class and the significance of differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from umml_cli.runs.files import damaged, read_arrays, replacing
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class RunPrecision:
    """Average precision by query; NaN for a query that lacks the modality that a task queries with.

    Args:
        last_i2t: `(n_query,)` float64, image queries after the last epoch.
        last_t2i: `(n_query,)` float64, text queries.
        best_i2t: the same after the best of the evaluated epochs.
        best_t2i: likewise.
        query_labels: `(n_query, n_label)` uint8.
    """

    last_i2t: NDArray[np.float64]
    last_t2i: NDArray[np.float64]
    best_i2t: NDArray[np.float64]
    best_t2i: NDArray[np.float64]
    query_labels: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        last: Mapping[str, NDArray[np.float64]],
        best: Mapping[str, NDArray[np.float64]],
        query_labels: NDArray[np.uint8],
    ) -> Self:
        """From task to precision of both epochs."""
        return cls(
            last_i2t=last["i2t"],
            last_t2i=last["t2i"],
            best_i2t=best["i2t"],
            best_t2i=best["t2i"],
            query_labels=query_labels,
        )

    def task(self, task: str, selection: str) -> NDArray[np.float64]:
        """`(n_query,)` of a task, after the "last" epoch or the best, which is the "paper" selection."""
        name = f"{'last' if selection == 'last' else 'best'}_{task}"
        values: NDArray[np.float64] = getattr(self, name)
        return values

    def save(self, path: Path) -> None:
        """Write to an `.npz` of plain arrays in one step."""
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: the file is damaged.
        """
        arrays = read_arrays(path, cls.__dataclass_fields__)
        labels = arrays["query_labels"]
        if labels.ndim != 2 or labels.dtype.kind != "u" or (labels.size and labels.max() > 1):
            raise damaged(path, "query_labels is not a table of 0 and 1")
        for task in TASKS:
            last, best = (arrays[f"{when}_{task}"] for when in ("last", "best"))
            if any(one.dtype.kind != "f" or one.shape != labels.shape[:1] for one in (last, best)):
                raise damaged(path, f"the values of {task} are not one number a query")
            if any(((one < 0) | (one > 1)).any() for one in (last, best)):
                raise damaged(path, f"an average precision of {task} is not between 0 and 1")
            if not np.array_equal(np.isnan(last), np.isnan(best)) or np.isnan(last).all():
                raise damaged(path, f"values of {task} are missing")
        return cls(**arrays)
