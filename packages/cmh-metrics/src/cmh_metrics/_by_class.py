"""Mean average precision class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._average_precision import Normalise, Scores, Ties, average_precision
from cmh_metrics._checks import as_matrix, as_numpy, one_of
from cmh_metrics._codes import PackedCodes, pack_codes
from cmh_metrics._packing import Bits, zero_one

if TYPE_CHECKING:
    from cmh_metrics._ranking import Backend

Relevance = Literal["any", "class"]


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
    carried = zero_one(as_numpy(as_matrix(query_labels, "query_labels"), "query_labels"), "query_labels")
    queries = _packed(query_codes, "query_codes")
    options: dict[str, Any] = {
        "k": k,
        "normalise": normalise,
        "ties": ties,
        "backend": backend,
        "threads": threads,
    }
    if relevance == "any":
        scores = average_precision(
            query_codes=queries,
            database_codes=database_codes,
            query_labels=carried,
            database_labels=database_labels,
            **options,
        )
        return class_means(scores, carried)
    database = _packed(database_codes, "database_codes")
    offered = as_matrix(database_labels, "database_labels")
    if offered.shape[1] != carried.shape[1]:
        raise ValueError(
            "query_labels and database_labels must have the same number of columns, "
            f"but they have {carried.shape[1]} and {offered.shape[1]}"
        )
    result = np.full(carried.shape[1], np.nan)
    for label in np.flatnonzero(carried.any(axis=0)):
        chosen = carried[:, label]
        column = slice(label, label + 1)
        result[label] = average_precision(
            query_codes=queries[chosen],
            database_codes=database,
            query_labels=carried[chosen, column],
            database_labels=offered[:, column],
            **options,
        ).mean()
    return result


def class_means(scores: Scores, carried: Bits) -> Scores:
    """Return the mean score of the queries that carry each class, NaN where none does."""
    count = carried.sum(axis=0)
    means: Scores = np.where(count > 0, (scores @ carried) / np.maximum(count, 1), np.nan)
    return means


def _packed(codes: Any, name: str) -> PackedCodes:
    return codes if isinstance(codes, PackedCodes) else pack_codes(codes, name=name)
