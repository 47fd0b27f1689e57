"""Kernels that look at one pair of codes at a time, in database order."""

# ruff: noqa: C901, PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._kernels.jit import jit
from cmh_metrics._kernels.popcount import popcount


@jit
def fill_distances(query: Any, database_columns: Any, start: int, stop: int, out: Any) -> None:
    """Write the distances of database rows `start` to `stop` from one query `(n_word,)` to `out`.

    The database stands column by column, `(n_word, n)`, so that the loops become vector instructions.
    """
    q = query[0]
    column = database_columns[0, start:stop]
    for row in range(stop - start):
        out[row] = popcount(q ^ column[row])
    for word in range(1, query.shape[0]):
        q = query[word]
        column = database_columns[word, start:stop]
        for row in range(stop - start):
            out[row] += popcount(q ^ column[row])


@jit
def fill_shared(labels: Any, label_columns: Any, start: int, stop: int, out: Any) -> None:
    """Write how many labels database rows `start` to `stop` share with one query, to `out`, likewise."""
    w = labels[0]
    column = label_columns[0, start:stop]
    for row in range(stop - start):
        out[row] = popcount(w & column[row])
    for word in range(1, labels.shape[0]):
        w = labels[word]
        column = label_columns[word, start:stop]
        for row in range(stop - start):
            out[row] += popcount(w & column[row])


@jit
def add_precisions(distance: Any, shared: Any, rank: Any, found: Any, k: int, first_relevant: bool) -> Any:
    """Return the sum of precisions at the relevant items of a block within the cut-off, and their number.

    `rank` and `found`, `(bits + 1,)`, belong to one query and advance. Without a branch: whether an item is
    relevant cannot be foretold, and a wrong guess costs more than a division.
    """
    total: Any = 0.0
    count: Any = 0
    for row in range(distance.size):
        d = np.uint64(distance[row])  # unsigned: an index that cannot mean "from the end"
        relevant = np.int64(shared[row] != 0)
        place = rank[d] + 1
        rank[d] = place
        so_far = found[d] + relevant
        found[d] = so_far
        inside = relevant & np.int64((so_far if first_relevant else place) <= k)
        total += inside * so_far / place
        count += inside
    return total, count


@jit
def add_index_order(
    query_words: Any,
    database_columns: Any,
    query_labels: Any,
    label_columns: Any,
    offset: int,
    starts: Any,
    left_out: Any,
    first: int,
    last: int,
    k: int,
    first_relevant: bool,
    rank: Any,
    found: Any,
    scores: Any,
    counted: Any,
) -> None:
    """Add the precisions at the relevant items of one slab, for queries `first` to `last`.

    Codes and labels of the database stand column by column, `(n_word, n)`. `rank` and `found`, `(n_query,
    bits + 1)` int64, say how many items, and relevant items, rank before the next item at each distance; both
    advance. `scores` sums precisions, `counted` the relevant items within the cut-off: rank `k`, or the
    `k`-th relevant item if `first_relevant`. `offset` is the number of the slab's first row; rows
    `left_out[starts[i] : starts[i + 1]]`, ascending, do not count for query `i`.
    """
    block = 1024
    distance = np.empty(block, np.int32)
    shared = np.empty(block, np.int32)
    for start in range(0, database_columns.shape[1], block):
        stop = min(start + block, database_columns.shape[1])
        for i in range(first, last):
            fill_distances(query_words[i], database_columns, start, stop, distance)
            fill_shared(query_labels[i], label_columns, start, stop, shared)
            size = stop - start
            for place in range(starts[i + 1] - 1, starts[i] - 1, -1):
                row = left_out[place] - offset - start
                if 0 <= row < stop - start:
                    size -= 1
                    for j in range(row, size):
                        distance[j] = distance[j + 1]
                        shared[j] = shared[j + 1]
            total, count = add_precisions(distance[:size], shared, rank[i], found[i], k, first_relevant)
            scores[i] += total
            counted[i] += count


@jit
def count_below(values: Any, bound: Any) -> Any:
    """Return how many values are below the bound: without a branch, so that the loop becomes vectors."""
    count: Any = 0
    for i in range(values.size):
        count += np.int32(values[i] < bound)
    return count


@jit
def update_nearest(
    query_words: Any,
    database_columns: Any,
    first: int,
    last: int,
    offset: int,
    k: int,
    distances: Any,
    rows: Any,
    filled: Any,
) -> None:
    """Bring the `k` nearest items of queries `first` to `last` up to date with one slab of database rows.

    `distances` and `rows` are `(n_query, k)`, sorted by (distance, row); `filled[i]` of them are in use.
    `offset` is the number of the slab's first row. An item enters only if it is strictly nearer than the
    k-th, for equally distant items earlier rows come first; candidates are collected unsorted and sorted by
    counting when the pool is full.
    """
    block, step = 1024, 64
    n_bin = query_words.shape[1] * 64 + 1
    capacity = 2 * k + block
    scratch = np.empty(block, np.int32)
    pool_distance = np.empty(capacity, np.int64)
    pool_row = np.empty(capacity, np.int64)
    counts = np.empty(n_bin + 1, np.int64)
    for i in range(first, last):
        size = filled[i]
        pool_distance[:size] = distances[i, :size]
        pool_row[:size] = rows[i, :size]
        bound = distances[i, k - 1] if size == k else np.int32(n_bin)
        for start in range(0, database_columns.shape[1], block):
            stop = min(start + block, database_columns.shape[1])
            fill_distances(query_words[i], database_columns, start, stop, scratch)
            scratch[stop - start :] = n_bin
            for part in range(0, stop - start, step):
                if count_below(scratch[part : part + step], bound) == 0:  # as a rule
                    continue
                for j in range(part, part + step):
                    if scratch[j] < bound:
                        pool_distance[size] = scratch[j]
                        pool_row[size] = offset + start + j
                        size += 1
            if size > capacity - block or stop == database_columns.shape[1]:
                counts[:] = 0
                for j in range(size):
                    counts[pool_distance[j] + 1] += 1
                for d in range(1, n_bin + 1):
                    counts[d] += counts[d - 1]
                kept = min(size, k)
                for j in range(size):
                    d = pool_distance[j]
                    place = counts[d]
                    counts[d] += 1
                    if place < k:
                        distances[i, place] = d
                        rows[i, place] = pool_row[j]
                pool_distance[:kept] = distances[i, :kept]
                pool_row[:kept] = rows[i, :kept]
                size = kept
                if size == k:
                    bound = distances[i, k - 1]
        filled[i] = size


@jit
def add_gains(
    query_words: Any,
    database_columns: Any,
    query_labels: Any,
    label_columns: Any,
    gains: Any,
    first: int,
    last: int,
    retrieved: Any,
    gained: Any,
    graded: Any,
) -> None:
    """Add one slab to items and gains by distance and to items by grade, for queries `first` to `last`.

    Codes and labels of the database stand column by column, `(n_word, n)`. `gains` is the gain of each
    number of shared labels, up to the largest number that a query has; `retrieved` and `gained` are
    `(n_query, bits + 1)`, `graded` is `(n_query, len(gains))`.
    """
    block = 1024
    distance = np.empty(block, np.int32)
    grade = np.empty(block, np.int32)
    for start in range(0, database_columns.shape[1], block):
        stop = min(start + block, database_columns.shape[1])
        for i in range(first, last):
            fill_distances(query_words[i], database_columns, start, stop, distance)
            fill_shared(query_labels[i], label_columns, start, stop, grade)
            items, sums, grades = retrieved[i], gained[i], graded[i]
            for row in range(stop - start):
                d, g = np.uint64(distance[row]), np.uint64(grade[row])
                items[d] += 1
                sums[d] += gains[g]
                grades[g] += 1
