"""The curves that papers of this field print, of the stored codes of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_metrics import precision_at, precision_recall_by_radius, precision_within_radius, ranking_tables

from umml_cli.runs.own_items import own_items_known, pair_codes
from umml_cli.runs.run_codes import RunCodes
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from umml_cli.runs.store import RunFolder

    Values = NDArray[np.float64]

DEEPEST = 1000
"""The largest N of top-N precision, where the retrieval set has that many items."""

N_CUTS = 20


@dataclass(frozen=True)
class RetrievalCurves:
    """Precision and recall of one task, each a mean over its queries.

    Args:
        recall: `(bits + 1,)` of everything within each Hamming radius, 0 to the code length.
        precision: `(bits + 1,)` likewise; a query that finds nothing within a radius has precision 0 there.
        cuts: `(n_cut,)` int64, numbers of first results.
        precision_at: `(n_cut,)` precision of that many; the mean over all orders of equal distances.
        within_radius_2: precision within Hamming radius 2; 0 for a query that finds nothing.
    """

    recall: Values
    precision: Values
    cuts: NDArray[np.int64]
    precision_at: Values
    within_radius_2: float

    @classmethod
    def of(cls, **arrays: Any) -> RetrievalCurves:
        """Compute the curves.

        Args:
            arrays: `query_codes`, `database_codes`, `query_labels`, `database_labels` as `cmh_metrics` takes
                them.
        """
        tables = ranking_tables(**arrays)
        by_radius = precision_recall_by_radius(tables=tables)
        cuts = top_cuts(int(tables.retrieved[0].sum()))
        return cls(
            by_radius.recall,
            by_radius.precision,
            cuts,
            precision_at(tables=tables, ks=cuts.tolist()).mean(axis=0),
            float(precision_within_radius(tables=tables, radius=2).mean()),
        )


def top_cuts(n_database: int) -> NDArray[np.int64]:
    """Return the N of top-N precision: 1, and 20 equal steps up to 1,000 or the whole retrieval set.

    Example:
        >>> top_cuts(100).tolist()[:4]
        [1, 5, 10, 15]
    """
    deepest = min(DEEPEST, n_database)
    return np.unique(np.concatenate([[1], np.arange(1, N_CUTS + 1) * deepest // N_CUTS]).clip(1))


def run_curves(folder: RunFolder, selection: str) -> dict[str, RetrievalCurves]:
    """Return the curves of a finished run, by task.

    Args:
        folder: of the run.
        selection: "last" epoch, or "paper": the best of those that were evaluated.
    """
    best = folder.best_codes if selection == "paper" and folder.best_codes.exists() else folder.codes
    codes = RunCodes.load(best)
    return {task: RetrievalCurves.of(**_task_arrays(codes, task)) for task in TASKS}


def _task_arrays(codes: RunCodes, task: str) -> dict[str, Any]:
    """Arguments of a measure; without labels a query's own item is the only relevant one."""
    if codes.query_labels.shape[1]:
        asks = codes.asks(task)
        query_codes, database_codes = codes.task_codes(task)
        query_labels, database_labels = codes.query_labels[asks], codes.retrieval_labels
        query_codes = query_codes if asks.all() else query_codes[asks]
    else:
        query_codes, database_codes = pair_codes(codes, task)
        query_labels = database_labels = np.eye(int(own_items_known(codes).sum()), dtype=np.uint8)
    return {
        "query_codes": query_codes, "database_codes": database_codes,
        "query_labels": query_labels, "database_labels": database_labels,
    }  # fmt: skip
