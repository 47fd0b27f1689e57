"""Hamming distances and exact nearest-neighbour search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._inputs.arguments import shared_arguments
from cmh_metrics._inputs.checks import positive_integer
from cmh_metrics._inputs.codes import CodeRows, both_sides
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.ranking_inputs import SLAB_ROWS

if TYPE_CHECKING:
    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.packing import Words

SHARED_ROWS = 500_000  # a thread that takes fewer rows of one query costs more than it spares


@shared_arguments()
def hamming_distances(
    *,
    query_codes: Any,
    database_codes: Any,
    code_values: CodeValues = "auto",
    threshold: float | None = None,
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the Hamming distance of every query to every database item.

    Returns:
        `(n_query, n_database)` int32, distances in bits. The matrix is the memory cost: for measures use
        `ranking_tables`, for the nearest items `hamming_topk`.

    Raises:
        ValueError: if codes are not what they should be or differ in length.

    Example:
        >>> hamming_distances(query_codes=[[1, 1]], database_codes=[[1, 1], [1, -1], [-1, -1]])
        array([[0, 1, 2]], dtype=int32)
    """
    queries, database = both_sides(query_codes, database_codes, code_values, threshold)
    result = np.zeros((len(queries), len(database)), np.int32)
    query_words = queries.words(0, len(queries))
    for start in range(0, len(database), SLAB_ROWS):
        stop = min(start + SLAB_ROWS, len(database))
        words = database.words(start, stop)
        for i, query in enumerate(query_words):
            result[i, start:stop] = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int32)
    return result


@shared_arguments()
def hamming_topk(
    *,
    query_codes: Any,
    database_codes: Any,
    k: int,
    code_values: CodeValues = "auto",
    threshold: float | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the exact `k` nearest database items of every query; equally distant items in database order.

    Args:
        k: how many items, at least 1; at most the whole database is returned.

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
    queries, database = both_sides(query_codes, database_codes, code_values, threshold)
    threads = Compute.resolve("auto", threads).threads
    return nearest(queries.words(0, len(queries)), database, k=positive_integer(k, "k"), threads=threads)


def nearest(
    query_words: Words, database: CodeRows, *, k: int, threads: int
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return `hamming_topk` of checked inputs."""
    k = min(k, len(database))
    parts = 1
    if len(query_words) < threads and database.reading is None:  # the threads share the database instead
        parts = max(1, min(threads, len(database) // SHARED_ROWS))
    if parts == 1:
        return _nearest_in(query_words, database, 0, len(database), k=k, threads=threads)
    edges = [len(database) * part // parts for part in range(parts + 1)]
    found: list[Any] = [None] * parts

    def work(first: int, last: int) -> None:
        for part in range(first, last):
            found[part] = _nearest_in(query_words, database, *edges[part : part + 2], k=k, threads=1)

    over_ranges(work, parts, threads)
    distances, indices = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: earlier rows first
    return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)


def _nearest_in(
    query_words: Words, database: CodeRows, first_row: int, last_row: int, *, k: int, threads: int
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the nearest of some rows, at most `k`."""
    from cmh_metrics._kernels import pairs as kernel  # noqa: PLC0415 - loads numba

    k = min(k, last_row - first_row)
    distances = np.empty((len(query_words), k), np.int32)
    indices = np.empty((len(query_words), k), np.int64)
    filled = np.zeros(len(query_words), np.int64)
    width = (0,) * query_words.shape[1]
    step = SLAB_ROWS if database.reading is not None else max(1, last_row - first_row)
    for start in range(first_row, last_row, step):
        words = np.ascontiguousarray(database.words(start, min(start + step, last_row))).reshape(-1)

        def work(first: int, last: int, words: Words = words, start: int = start) -> None:
            kernel.update_nearest(
                query_words, words, width, first, last, start, k, distances, indices, filled
            )

        over_ranges(work, len(query_words), threads)
    return distances, indices
