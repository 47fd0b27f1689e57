"""Hamming distances and exact nearest-neighbour search."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._checks import positive_integer
from cmh_metrics._codes import CodeRows, Values, both_sides
from cmh_metrics._inputs import SLAB_ROWS
from cmh_metrics._ranking import thread_count
from cmh_metrics._threads import over_ranges

if TYPE_CHECKING:
    from cmh_metrics._packing import Words


def hamming_distances(
    *, query_codes: Any, database_codes: Any, values: Values = "auto"
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Hamming distance of every query to every database item.

    Args:
        query_codes: `(n_query, bits)`, see `pack_codes`, or `PackedCodes`.
        database_codes: `(n_database, bits)` likewise.
        values: what a value of the codes means, see `ranking_tables`.

    Returns:
        `(n_query, n_database)` int32, distances in bits. The matrix is the memory cost: for measures use
        `ranking_tables`, for the nearest items `hamming_topk`.

    Raises:
        ValueError: if codes are not what they should be or differ in length.

    Example:
        >>> hamming_distances(query_codes=[[1, 1]], database_codes=[[1, 1], [1, -1], [-1, -1]])
        array([[0, 1, 2]], dtype=int32)
    """
    queries, database = both_sides(query_codes, database_codes, values)
    result = np.zeros((len(queries), len(database)), np.int32)
    query_words = queries.words(0, len(queries))
    for start in range(0, len(database), SLAB_ROWS):
        stop = min(start + SLAB_ROWS, len(database))
        words = database.words(start, stop)
        for i, query in enumerate(query_words):
            result[i, start:stop] = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
    return result


def hamming_topk(
    *, query_codes: Any, database_codes: Any, k: int, values: Values = "auto", threads: int | None = None
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Exact `k` nearest database items of every query; equally distant items in database order.

    Args:
        query_codes: `(n_query, bits)`, see `pack_codes`, or `PackedCodes`.
        database_codes: `(n_database, bits)` likewise; a memory map or an HDF5 data set is read in slabs.
        k: how many items, at least 1; at most the whole database is returned.
        values: what a value of the codes means, see `ranking_tables`.
        threads: how many threads; by default all processors that the process may use.

    Returns:
        `distances`: `(n_query, min(k, n_database))` int32, in bits, ascending.
        `indices`: the same shape, int64 database rows.

    Raises:
        ValueError: if codes are not what they should be or differ in length, or `k` is not a positive
        integer.

    Example:
        >>> distances, indices = hamming_topk(query_codes=[[1, 1]], database_codes=[[-1, 1], [1, 1]], k=2)
        >>> distances.tolist(), indices.tolist()
        ([[0, 1]], [[1, 0]])
    """
    queries, database = both_sides(query_codes, database_codes, values)
    return nearest(
        queries.words(0, len(queries)), database, k=positive_integer(k, "k"), threads=thread_count(threads)
    )


def nearest(
    query_words: Words, database: CodeRows, *, k: int, threads: int
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return `hamming_topk` of checked inputs."""
    k = min(k, len(database))
    kernel = import_module("cmh_metrics._pair_kernels")
    distances = np.empty((len(query_words), k), np.int32)
    indices = np.empty((len(query_words), k), np.int64)
    filled = np.zeros(len(query_words), np.int64)
    for start in range(0, len(database), SLAB_ROWS):
        words = database.words(start, min(start + SLAB_ROWS, len(database)))
        columns = np.ascontiguousarray(words.T)

        def work(first: int, last: int, columns: Words = columns, start: int = start) -> None:
            kernel.update_nearest(query_words, columns, first, last, start, k, distances, indices, filled)

        over_ranges(work, len(query_words), threads)
    return distances, indices
