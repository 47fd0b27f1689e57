"""Precision and recall within every Hamming radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import tables_of
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import one_of
from cmh_metrics._measure import Measure, Ranked, or_none

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import Scores
    from cmh_metrics._inputs.tables import RankingTables

Average = Literal["all-queries", "queries-with-hits"]


@dataclass(frozen=True, eq=False)
class RadiusCurve:
    """Precision and recall of everything within a Hamming radius, averaged over queries.

    Args:
        radius: `(bits + 1,)` int64, 0 to the code length, in bits.
        precision: `(bits + 1,)` float64; NaN where no query counts.
        recall: `(bits + 1,)` float64; NaN where no query counts.

    Example:
        >>> RadiusCurve(np.arange(2), np.array([1.0, 0.5]), np.array([0.5, 1.0])).precision[0]
        np.float64(1.0)
    """

    radius: np.ndarray[Any, np.dtype[np.int64]]
    precision: Scores
    recall: Scores


@shared_arguments(TableArguments)
def precision_recall_by_radius(
    *, average: Average = "all-queries", **ranking: Unpack[TableArguments]
) -> RadiusCurve:
    """Return precision and recall within every Hamming radius ("hash lookup").

    Args:
        average: `"all-queries"`: over all queries; one that retrieves nothing has precision 0.
            `"queries-with-hits"`: at each radius over the queries that retrieve something relevant there,
            which is what AGAH's program prints (it makes the precision at small radii look better).

    Returns:
        The curve, one point per radius from 0 to the code length.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> curve = precision_recall_by_radius(
        ...     query_codes=[[1]], database_codes=[[1], [-1]], query_labels=[[1]], database_labels=[[1], [0]]
        ... )
        >>> curve.precision.tolist(), curve.recall.tolist()
        ([1.0, 0.5], [1.0, 1.0])
    """
    one_of(average, "average", get_args(Average))
    return _curve(tables_of(**ranking), average)


def _curve(tables: RankingTables, average: str) -> RadiusCurve:
    retrieved, relevant = tables.retrieved.cumsum(axis=1), tables.relevant.cumsum(axis=1)
    precision = relevant / np.maximum(retrieved, 1)  # (n_query, bits + 1)
    recall = relevant / np.maximum(relevant[:, -1:], 1)
    counted = len(tables) if average == "all-queries" else (relevant > 0).sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
        return RadiusCurve(
            np.arange(tables.bits + 1), precision.sum(axis=0) / counted, recall.sum(axis=0) / counted
        )


def _reported(part: Literal["precision", "recall"], average: Average) -> Any:
    def compute(ranked: Ranked) -> tuple[float | None, ...]:
        return or_none(getattr(_curve(ranked.tables, average), part))

    return compute


MEASURES = (
    Measure("radius_precision", "precision by radius", _reported("precision", "all-queries")),
    Measure("radius_recall", "recall by radius", _reported("recall", "all-queries")),
    Measure(
        "radius_precision_found",
        "precision by radius, queries with hits",
        _reported("precision", "queries-with-hits"),
    ),
    Measure(
        "radius_recall_found", "recall by radius, queries with hits", _reported("recall", "queries-with-hits")
    ),
)
