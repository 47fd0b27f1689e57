"""Kernels that look at one pair of codes at a time, in database order."""

# ruff: noqa: PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._kernels.exact_sum import LOW_PART, PART_BITS, UNIT
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

    The sum comes in two whole numbers, see `exact_sum`.

    `rank` and `found`, `(bits + 1,)`, belong to one query and advance. Without a branch: whether an item is
    relevant cannot be foretold, and a wrong guess costs more than a division.
    """
    total: Any = 0  # of a block of a thousand items, in units
    count: Any = 0
    for row in range(distance.size):
        d = np.uint64(distance[row])  # unsigned: an index that cannot mean "from the end"
        relevant = np.int64(shared[row] != 0)
        place = rank[d] + 1
        rank[d] = place
        so_far = found[d] + relevant
        found[d] = so_far
        inside = relevant & np.int64((so_far if first_relevant else place) <= k)
        precision = inside * so_far / place
        total += np.int64(((precision + 1.0) - 1.0) * UNIT)
        count += inside
    return total >> PART_BITS, total & LOW_PART, count


@jit
def add_index_order(
    query_words: Any,
    database_columns: Any,
    query_labels: Any,
    label_columns: Any,
    offset: int,
    first: int,
    last: int,
    starts: Any,
    left_out: Any,
    k: int,
    first_relevant: bool,
    rank: Any,
    found: Any,
    sums: Any,
    counted: Any,
) -> None:
    """Add the precisions at the relevant items of one slab, for queries `first` to `last`.

    Codes and labels of the database stand column by column, `(n_word, n)`. `rank` and `found`, `(n_query,
    bits + 1)` int64, say how many items, and relevant items, rank before the next item at each distance; both
    advance. `sums`, `(n_query, 2)`, sums precisions, `counted` the relevant items within the cut-off: rank
    `k`, or the `k`-th relevant item if `first_relevant`. `offset` is the number of the slab's first row; rows
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
            high, low, count = add_precisions(distance[:size], shared, rank[i], found[i], k, first_relevant)
            sums[i, 0] += high
            sums[i, 1] += low
            counted[i] += count


@jit
def some_below(query: Any, words: Any, width: Any, first: int, last: int, bound: Any) -> Any:
    """Return whether a row of `first` to `last` is nearer to the query than the bound.

    `words` holds the rows one after the other; `width` is a tuple whose length is that of a code in words, so
    that the compiler knows it. Without a branch, and nothing is written: the loop becomes vectors that read
    the rows as fast as memory gives them.
    """
    sign: Any = np.int64(0)
    n_word = len(width)
    rows = words[first * n_word : last * n_word]
    for row in range(last - first):
        distance: Any = np.int64(0)
        for word in range(n_word):
            distance += popcount(query[word] ^ rows[row * n_word + word])
        sign |= distance - bound
    return sign < 0


@jit
def fill_row_distances(query: Any, words: Any, width: Any, first: int, last: int, out: Any) -> None:
    """Write the distances of rows `first` to `last` from one query to `out`, likewise."""
    n_word = len(width)
    rows = words[first * n_word : last * n_word]
    for row in range(last - first):
        distance: Any = np.int64(0)
        for word in range(n_word):
            distance += popcount(query[word] ^ rows[row * n_word + word])
        out[row] = distance


@jit
def keep_nearest(pool_distance: Any, pool_row: Any, size: int, counts: Any, distances: Any, rows: Any) -> Any:
    """Sort a pool by counting, stably; keep what fits `distances` and `rows`, in the pool too.

    Returns how many were kept. `counts` is room for as many counts as there are distances, and one.
    """
    counts[:] = 0
    for j in range(size):
        counts[pool_distance[j] + 1] += 1
    for d in range(1, counts.size):
        counts[d] += counts[d - 1]
    for j in range(size):
        d = pool_distance[j]
        place = counts[d]
        counts[d] += 1
        if place < distances.size:
            distances[place] = d
            rows[place] = pool_row[j]
    kept = min(size, distances.size)
    pool_distance[:kept] = distances[:kept]
    pool_row[:kept] = rows[:kept]
    return kept


@jit
def update_nearest(
    query_words: Any,
    words: Any,
    width: Any,
    first: int,
    last: int,
    offset: int,
    k: int,
    distances: Any,
    rows: Any,
    filled: Any,
) -> None:
    """Bring the `k` nearest items of queries `first` to `last` up to date with further database rows.

    `words` holds these rows one after the other, `offset` is the number of the first; `width` is a tuple as
    long as a code in words. `distances` and `rows` are `(n_query, k)`, sorted by (distance, row); `filled[i]`
    of them are in use. An item enters only if it is strictly nearer than the k-th, for equally distant items
    earlier rows come first; candidates are collected unsorted and sorted by counting when the pool is full.
    """
    n_word = len(width)
    n = words.size // n_word
    cached = 61_440 // n_word  # rows that stay in the cache while all queries look at them
    block = 512  # rows looked at together
    n_bin = n_word * 64 + 1
    capacity = 2 * k + block
    scratch = np.empty(block, np.int64)
    pool_distance = np.empty(capacity, np.int64)
    pool_row = np.empty(capacity, np.int64)
    counts = np.empty(n_bin + 1, np.int64)
    for slab in range(0, n, cached):
        end = min(slab + cached, n)
        for i in range(first, last):
            query = query_words[i]
            size = filled[i]
            pool_distance[:size] = distances[i, :size]
            pool_row[:size] = rows[i, :size]
            bound = np.int64(distances[i, k - 1]) if size == k else np.int64(n_bin)
            for start in range(slab, end, block):
                stop = min(start + block, end)
                if some_below(query, words, width, start, stop, bound):
                    fill_row_distances(query, words, width, start, stop, scratch)
                    for j in range(stop - start):
                        if scratch[j] < bound:
                            pool_distance[size] = scratch[j]
                            pool_row[size] = offset + start + j
                            size += 1
                if size > capacity - block or (stop == end and size > filled[i]):
                    size = keep_nearest(pool_distance, pool_row, size, counts, distances[i], rows[i])
                    filled[i] = size
                    if size == k:
                        bound = np.int64(distances[i, k - 1])


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
