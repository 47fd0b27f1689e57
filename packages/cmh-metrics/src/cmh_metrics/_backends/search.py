"""Hamming distances and exact nearest-neighbour search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._inputs.arguments import shared_arguments
from cmh_metrics._inputs.checks import positive_integer
from cmh_metrics._inputs.codes import CodeRows, both_sides
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.ranking_inputs import SLAB_ROWS
from cmh_metrics._inputs.shard_facts import CodeFacts, codes_text
from cmh_metrics._inputs.shards import ShardedDatabase, compute_of_each, each_shard

if TYPE_CHECKING:
    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.packing import Words
    from cmh_metrics._inputs.shards import OpenShard

Distances = np.ndarray[Any, np.dtype[np.int32]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
Nearest = tuple[Distances, Rows]
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
    if isinstance(database_codes, ShardedDatabase):
        raise ValueError(  # noqa: TRY004 - bad input is a ValueError here
            "database_codes must be an array for a matrix of distances; hamming_topk takes shards"
        )
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
    k, compute = positive_integer(k, "k"), Compute.resolve("auto", threads)
    if isinstance(database_codes, ShardedDatabase):
        queries = CodeRows(query_codes, "query_codes", code_values=code_values, threshold=threshold)
        queries.words(0, len(queries))  # raise here what is wrong with them, before a shard does
        threads = compute_of_each(database_codes, compute).threads
        return _nearest_in_shards(
            database_codes, _SearchShard(queries.in_memory(), k, code_values, threshold, threads)
        )
    queries, database = both_sides(query_codes, database_codes, code_values, threshold)
    return nearest(queries.words(0, len(queries)), database, k=k, threads=compute.threads)


def _nearest_in_shards(database: ShardedDatabase, work: _SearchShard) -> Nearest:
    """Merge the nearest items of every shard; of equally distant ones those of earlier shards come first."""
    facts: list[CodeFacts] = []
    found: Nearest | None = None
    first_row = 0
    for fact, distances, rows in each_shard(database, work):
        facts.append(fact)
        here = distances, rows + first_row
        first_row += fact.n
        found = here if found is None else _merged(found, here, work.k)
    codes_text(database, facts)  # raise if shards don't fit together
    assert found is not None
    return found


@dataclass(frozen=True, eq=False)
class _SearchShard:
    """What a worker does with a shard: finds the nearest items of its codes."""

    query_codes: Any
    k: int
    code_values: CodeValues
    threshold: float | None
    threads: int

    def __call__(self, shard: OpenShard) -> tuple[CodeFacts, Distances, Rows]:
        queries, codes = both_sides(self.query_codes, shard.codes, self.code_values, self.threshold)
        words = queries.words(0, len(queries))
        return CodeFacts.of(codes), *nearest(words, codes, k=self.k, threads=self.threads)


def _merged(nearer: Nearest, more: Nearest, k: int) -> Nearest:
    """Return the k nearest items of two parts of a database, of equally distant ones those of the first."""
    distances: Distances = np.concatenate([nearer[0], more[0]], axis=1)
    rows: Rows = np.concatenate([nearer[1], more[1]], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: earlier rows first
    return np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)


def nearest(query_words: Words, database: CodeRows, *, k: int, threads: int) -> Nearest:
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
    merged: Nearest = reduce(partial(_merged, k=k), found)
    return merged


def _nearest_in(
    query_words: Words, database: CodeRows, first_row: int, last_row: int, *, k: int, threads: int
) -> Nearest:
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
