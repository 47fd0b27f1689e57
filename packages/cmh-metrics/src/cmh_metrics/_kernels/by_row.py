"""Precisions with ties by database row, from bit planes: a stable counting sort of single bits.

`bitsliced.py` says which of 512 items stand at one distance as a plane of bits, in the order of database
rows, and which are relevant as another. Of the second, the bits at the ones of the first, side by side, are
that distance's part of the ranking: whether the item at each place is relevant. The ranking tables say at
which place this part begins and how many relevant items come before, so that nothing else has to be sorted.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._kernels.bitsliced import (
    LOW_DIGITS,
    RUN,
    add_planes,
    distances_of,
    find,
    mark_relevant,
    next_leaf,
    select_planes,
)
from cmh_metrics._kernels.jit import jit
from cmh_metrics._kernels.popcount import lowest_one, popcount
from cmh_metrics._kernels.vectors import (
    add_eight,
    add_parts,
    address,
    first_float,
    floats,
    is_zero,
    load,
    load_byte,
    load_word,
    or_,
    pick_bits,
    store,
    store_word,
    words_in_common,
    zeros,
)

_BYTES = RUN * 8
_RUN = _BYTES + 64  # bytes of a run of single bits: as many as a chunk has items, and a word to spare

DENSE = 5  # words of eight that hold an item: from here on, all are looked at without asking


@jit
def append(bits: Any, places: Any, word: Any, n: Any, run: int) -> Any:
    """Write the bits at the given places behind the first `n` bits of a run, whose last part is `word`.

    Returns the new last part and the new number of bits.
    """
    picked = pick_bits(bits, places)
    shift = np.uint64(n) & np.uint64(63)
    word |= picked << shift
    store_word(run + (n >> 6 << 3), word)
    more = n + popcount(places)
    rest = (picked >> np.uint64(1)) >> (np.uint64(63) - shift)
    return (rest if (more ^ n) >> 6 else word), more


@jit
def append_both(items: Any, low: Any, hits: Any, state: Any, low_run: int, hit_run: int) -> Any:
    """Write the bits of `low` and of `hits` at the items behind those of two equally long runs.

    The runs grow by whole bytes, which takes fewer steps than `append`, but only 63 bits fit at a time.
    `state` is their last parts, the bits of these in use, the whole bytes before, and all numbers of bits
    that there were at a time, one OR the other.
    """
    ones, picked, n, byte, most = state
    ones |= pick_bits(low, items) << n
    picked |= pick_bits(hits, items) << n
    store_word(low_run + byte, ones)
    store_word(hit_run + byte, picked)
    n += np.uint64(popcount(items))
    whole = n & np.uint64(56)
    byte += np.int64(n >> np.uint64(3))
    return ones >> whole, picked >> whole, n & np.uint64(7), byte, most | n


@jit
def gather(items: int, value: int, low: int, hits: int, end: int, low_run: int, hit_run: int) -> Any:
    """Write lowest digit and relevance of a leaf's items at two distances, as two runs; return how many.

    If more bits ever come than `append_both` takes, 57 or more of 64 items in a row being at these two
    distances, all is done again.
    """
    state = np.uint64(0), np.uint64(0), np.uint64(0), np.int64(0), np.uint64(0)
    for block in range(0, end, 64):
        words = words_in_common(items + block, value + block)
        if popcount(words) >= DENSE:
            for at in range(block, block + 64, 8):
                here = load_word(items + at) & load_word(value + at)
                state = append_both(here, load_word(low + at), load_word(hits + at), state, low_run, hit_run)
        else:
            while words:
                at = block + 8 * lowest_one(words)
                words &= words - np.uint64(1)
                here = load_word(items + at) & load_word(value + at)
                state = append_both(here, load_word(low + at), load_word(hits + at), state, low_run, hit_run)
    ones, picked, n, byte, most = state
    if most < 64:
        store_word(low_run + byte, ones)
        store_word(hit_run + byte, picked)
        return 8 * byte + np.int64(n)
    ones, picked = np.uint64(0), np.uint64(0)
    size = np.int64(0)
    for at in range(0, end, 8):
        here = load_word(items + at) & load_word(value + at)
        ones, _ = append(load_word(low + at), here, ones, size, low_run)
        picked, size = append(load_word(hits + at), here, picked, size, hit_run)
    store_word(low_run + (size >> 6 << 3), ones)
    store_word(hit_run + (size >> 6 << 3), picked)
    return size


@jit
def part(n: int, low_run: int, hit_run: int, zero_run: int, one_run: int) -> Any:
    """Write the relevance of those of `n` items whose lowest digit is 0, and is 1; return how many each."""
    n_zero, n_one = np.int64(0), np.int64(0)
    word, word_one = np.uint64(0), np.uint64(0)
    for at in range(0, n, 64):
        all_here = ~np.uint64(0)
        if n - at < 64:
            all_here = (np.uint64(1) << np.uint64(n - at)) - np.uint64(1)
        one = load_word(low_run + (at >> 3))
        bits = load_word(hit_run + (at >> 3))
        word, n_zero = append(bits, all_here & ~one, word, n_zero, zero_run)
        word_one, n_one = append(bits, all_here & one, word_one, n_one, one_run)
    store_word(zero_run + (n_zero >> 6 << 3), word)
    store_word(one_run + (n_one >> 6 << 3), word_one)
    return n_zero, n_one


@jit
def cut_run(run: int, n: int, places: int, hits: int) -> int:
    """Blank a run of `n` after so many places, or relevant items; return how many places stay."""
    n = min(n, places)
    for at in range(0, n, 64):
        word = load_word(run + (at >> 3))
        if n - at < 64:
            word &= (np.uint64(1) << np.uint64(n - at)) - np.uint64(1)
        if popcount(word) > hits:
            rest = word
            for _ in range(hits):
                rest &= rest - np.uint64(1)
            word ^= rest
        hits -= popcount(word)
        store_word(run + (at >> 3), word)
    return n


@jit
def add_run(
    sums: int, run: int, n: int, patterns: int, reciprocals: int, n_reciprocal: int, n0: int, r0: int
) -> Any:
    """Add the precisions at the relevant ones of `n` places, after `n0` places with `r0` relevant ones.

    `sums` is the address of two vectors, see `vectors.add_parts`. Returns how many relevant ones come before
    the next place.
    """
    end = (n + 7) >> 3
    total, places, found = zeros(), floats(n0 + 1, 1), floats(r0, 0)
    if n0 + 8 * end < n_reciprocal:
        inverse = reciprocals + 8 * (n0 + 1)
        for byte in range(end):
            hits = load_byte(run + byte)
            total, places, found = add_eight(1, hits, patterns, inverse + 64 * byte, total, places, found)
    else:
        for byte in range(end):
            hits = load_byte(run + byte)
            total, places, found = add_eight(0, hits, patterns, 0, total, places, found)
    high, low = add_parts(load(sums), load(sums + 64), total, end)
    store(sums, high)
    store(sums + 64, low)
    return first_float(found)


@jit
def without(left_out: Any, order: Any, offset: int, end: int, valid: int, own: int) -> bool:
    """Write the plane of a chunk's items without the rows that are left out, counted from `offset`.

    Returns whether an item is left.
    """
    for at in range(0, end, 64):
        store(own + at, load(valid + at))
    n = order.size
    while n and order[n - 1] < 0:
        n -= 1
    for row in left_out:
        place = np.searchsorted(order[:n], row - offset)
        if place < n and order[place] == row - offset:
            at = own + (place >> 6 << 3)
            store_word(at, load_word(at) & ~(np.uint64(1) << np.uint64(place & 63)))
    left = zeros()
    for at in range(0, end, 64):
        left = or_(left, load(own + at))
    return not is_zero(left)


@jit
def add_by_row(
    query_words: Any,
    query_labels: Any,
    planes: Any,
    zeros_in: Any,
    valid: Any,
    label_planes: Any,
    lengths: Any,
    odd: Any,
    order: Any,
    patterns: Any,
    reciprocals: Any,
    scratch: Any,
    offset: Any,
    first: int,
    last: int,
    starts: Any,
    left_out: Any,
    k: Any,
    first_relevant: Any,
    rank: Any,
    found: Any,
    totals: Any,
    counted: Any,
) -> None:
    """Add the precisions at the relevant items of all chunks of one slab, for queries `first` to `last`.

    Args:
        query_words: as all up to `odd` and as `first` and `last`, see `bitsliced.add_bitsliced`.
        order: `(n_chunk, CHUNK)` int32, the row of the slab at each place of a chunk, ascending, -1 for none.
        patterns: `(256 * 9,)` float64 at a multiple of 64, see `vectors.add_eight`.
        reciprocals: `(n,)` float64, `1 / i` at number i; where ranks go beyond, quotients take longer.
        scratch: uint64, aligned, `RUN * (3 * n_digit + 5)` words.
        offset: the number of the slab's first row.
        starts: `(n_query + 1,)` int64; rows `left_out[starts[i] : starts[i + 1]]`, ascending, do not count
            for query `i`.
        left_out: int64 row numbers.
        k: the cut-off: a rank, or how many relevant items if `first_relevant`.
        first_relevant: which of the two.
        rank: `(n_query, bits + 1)` int64, items ranked before the next one at each distance; advances.
        found: `(n_query, bits + 1)` int64, relevant items before it; advances.
        totals: `(n_query, 2)` int64, sums of precisions, see `exact_sum`, added to.
        counted: `(n_query,)` int64, relevant items within the cut-off, added to.
    """
    bits = planes.shape[1]
    n_digit = zeros_in.shape[1]
    modulus = (2 << n_digit) - 1
    n_high = n_digit - LOW_DIGITS
    low = address(scratch)
    values = low + _BYTES
    high = values + 8 * _BYTES
    hits = high + n_high * _BYTES
    zero = hits + _BYTES
    own = zero + _BYTES
    sums = own + _BYTES
    runs = sums + 128
    tree = runs + 4 * _RUN
    for at in range(0, _BYTES, 64):
        store(zero + at, zeros())
    sources = np.empty(bits + 16, np.int64)
    nodes = np.empty((n_high + 2, 3), np.int64)
    passed = found if first_relevant else rank
    for chunk in range(planes.shape[0]):
        plane_base = address(planes) + chunk * bits * _BYTES
        zeros_base = address(zeros_in) + chunk * n_digit * _BYTES
        label_base = address(label_planes) + chunk * label_planes.shape[1] * _BYTES
        end = lengths[chunk] * 64
        for i in range(first, last):
            n_source, weight, complement = select_planes(query_words[i], bits, plane_base, zero, sources)
            add_planes(sources, n_source, zeros_base, n_digit, end, high, low, values)
            mark_relevant(query_labels[i], label_base, end, hits)
            root = address(valid) + chunk * _BYTES
            if starts[i] < starts[i + 1]:
                if not without(left_out[starts[i] : starts[i + 1]], order[chunk], offset, end, root, own):
                    continue  # the walk begins with an item
                root = own
            store(sums, zeros())
            store(sums + 64, zeros())
            nodes[0, 0], nodes[0, 1], nodes[0, 2] = root, n_high, 0
            pending = 1
            while pending:
                items, value, pending = next_leaf(pending, nodes, high, tree, end)
                here = find(items, values, end)
                for pair in range(8):
                    if (here >> pair) & 1 == 0:
                        continue
                    both = distances_of(value, pair, odd[chunk], weight, complement, bits, modulus)
                    if passed[i, both[0]] >= k and passed[i, both[1]] >= k:
                        continue
                    n = gather(items, values + pair * _BYTES, low, hits, end, runs, runs + _RUN)
                    sizes = part(n, runs, runs + _RUN, runs + 2 * _RUN, runs + 3 * _RUN)
                    for digit in range(2):
                        n, d = sizes[digit], both[digit]
                        if n == 0:
                            continue
                        run = runs + (2 + digit) * _RUN
                        n0, r0 = rank[i, d], found[i, d]
                        rank[i, d] = n0 + n
                        if first_relevant:
                            if r0 + n > k:
                                n = cut_run(run, n, n, k - r0)
                        elif n0 + n > k:
                            n = cut_run(run, n, max(0, k - n0), n)
                        r1 = add_run(
                            sums, run, n, address(patterns), address(reciprocals), reciprocals.size, n0, r0
                        )
                        found[i, d] = r1
                        counted[i] += r1 - r0
            for lane in range(8):
                totals[i, 0] += np.int64(load_word(sums + 8 * lane))
                totals[i, 1] += np.int64(load_word(sums + 64 + 8 * lane))
