"""Mean average precision class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._average_precision import NORMALISE, TIES, WHOLE, Normalise, Scores, Ties, from_inputs
from cmh_metrics._checks import as_matrix, as_numpy, one_of, positive_integer
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._packing import Bits, zero_one

if TYPE_CHECKING:
    from cmh_metrics._codes import Values
    from cmh_metrics._ranking import Backend

Relevance = Literal["any", "class"]
_BLOCK_QUERIES = 1 << 14  # queries of one class each that are ranked at a time


def map_by_class(
    *,
    query_codes: Any,
    database_codes: Any,
    query_labels: Any,
    database_labels: Any,
    relevance: Relevance = "any",
    k: int | None = None,
    normalise: Normalise = "min",
    ties: Ties = "expected",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Mean average precision over the queries that carry each class.

    Args:
        query_codes: `(n_query, bits)`, see `ranking_tables`.
        database_codes: `(n_database, bits)`.
        query_labels: `(n_query, n_label)` of 0 and 1.
        database_labels: `(n_database, n_label)` of 0 and 1.
        relevance: `"any"`: an item is relevant if it shares any label with the query, so only the choice of
            queries depends on the class (UMML, Table 9). `"class"`: it is relevant if it carries the class
            itself.
        k: as for `average_precision`, like the arguments below.
        normalise: see `average_precision`.
        ties: see `average_precision`.
        values: what a value of the codes means, see `ranking_tables`.
        backend: see `ranking_tables`.
        threads: see `ranking_tables`.

    Returns:
        `(n_label,)` float64; NaN for a class that no query carries. Queries without a relevant item count as
        0.

    Raises:
        ValueError: if an argument is not as described.

    Example:
        >>> map_by_class(
        ...     query_codes=[[1]],
        ...     database_codes=[[1], [-1]],
        ...     query_labels=[[1, 0]],
        ...     database_labels=[[0, 1], [1, 0]],
        ... )
        array([0.5, nan])
    """
    one_of(relevance, "relevance", ("any", "class"))
    one_of(normalise, "normalise", NORMALISE)
    one_of(ties, "ties", TIES)
    carried = zero_one(as_numpy(as_matrix(query_labels, "query_labels"), "query_labels"), "query_labels")
    inputs = RankingInputs(
        query_codes=query_codes,
        database_codes=database_codes,
        query_labels=carried,
        database_labels=database_labels,
        values=values,
    )
    options: dict[str, Any] = {
        "k": WHOLE if k is None else positive_integer(k, "k"),
        "normalise": normalise,
        "ties": ties,
        "backend": backend,
        "threads": threads,
    }
    if relevance == "class":
        return means_within_classes(inputs, carried, **options)
    return class_means(np.nan_to_num(from_inputs(inputs, **options)), carried)


def means_within_classes(inputs: RankingInputs, carried: Bits, **options: Any) -> Scores:
    """Return `(n_label,)` mean scores where an item is relevant to a query if both carry the class.

    Each query is ranked once for each of its classes, as a query that carries this class alone.
    """
    queries, classes = np.nonzero(carried)
    total = np.zeros(carried.shape[1])
    for start in range(0, len(queries), _BLOCK_QUERIES):
        part = slice(start, start + _BLOCK_QUERIES)
        alone = np.arange(carried.shape[1]) == classes[part, None]  # (block, n_label)
        scores = from_inputs(inputs.for_queries(queries[part], alone), **options)
        total += np.bincount(classes[part], np.nan_to_num(scores), minlength=len(total))
    return _divided(total, carried)


def class_means(scores: Scores, carried: Bits) -> Scores:
    """Return `(n_label,)` mean scores of the queries that carry each class, NaN where none does."""
    return _divided(scores @ carried, carried)


def _divided(total: Scores, carried: Bits) -> Scores:
    count = carried.sum(axis=0)
    means: Scores = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means
