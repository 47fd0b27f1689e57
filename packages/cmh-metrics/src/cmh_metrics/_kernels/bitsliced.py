"""Ranking tables from bit planes: 512 database items at a time, without a loop over pairs.

The database is stored transposed, one plane of bits per code bit. For a query q of |q| ones, the number of
bits in which it agrees with x is

    bits - |q XOR x| = zeros(x) - |q| + 2 * sum_{k: q_k = 1} x_k

zeros(x) being the number of zeros of x. Whether the agreement plus |q| is even or odd depends on zeros(x)
alone, so the database is first parted into even and odd items: within a part, half of the distances cannot
occur. Then the planes of x where q has a one are added, with full adders over whole vectors, to the planes of
zeros(x) // 2. What comes out is half of the agreement plus |q|, modulo a power of two, as binary digit
planes. (A query with more ones than zeros is complemented: agreement and distance then change places.)

The items at one distance are those whose digits match it. For every value of the digits above the lowest
four that occurs, found by walking a binary tree, and for every value of digits 1 to 3 that occurs among these
items, the items and the relevant ones are counted, all of them and those whose lowest digit is 1.
"""

# ruff: noqa: PLR0911, PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._kernels.jit import inlined, jit
from cmh_metrics._kernels.popcount import lowest_one, popcount
from cmh_metrics._kernels.vectors import (
    COUNTED,
    LANES,
    address,
    and_,
    andnot,
    count_relevant,
    full_add,
    is_zero,
    load,
    not_,
    or_,
    store,
    xor,
    zeros,
)

RUN = COUNTED * LANES  # words from one plane of a chunk to the next
CHUNK = RUN * 64  # database items in a chunk, at most
LENGTHS = (7, 11, 15, 19, 23, 27, COUNTED)  # vectors in a chunk
LOW_DIGITS = 4  # of half of the agreement; the rest are its high digits
_BYTES = RUN * 8


@jit
def transpose(matrix: Any) -> None:
    """Transpose eight 64 x 64 bit matrices: bit j of `matrix[i, lane]` becomes bit i of `matrix[j, lane]`.

    Works in place; swaps ever smaller off-diagonal blocks (Warren, Hacker's Delight, section 7-3).
    """
    width = 32
    mask = np.uint64(0x00000000FFFFFFFF)
    while width:
        shift = np.uint64(width)
        for i in range(64):
            if i & width == 0:
                for lane in range(LANES):
                    swap = ((matrix[i, lane] >> shift) ^ matrix[i + width, lane]) & mask
                    matrix[i, lane] ^= swap << shift
                    matrix[i + width, lane] ^= swap
        width >>= 1
        mask ^= mask << np.uint64(width)


@jit
def slice_rows(words: Any, order: Any, first: int, last: int, planes: Any, zeros_in: Any) -> None:
    """Write the bit planes of packed rows, for chunks `first` to `last`.

    Args:
        words: `(n, n_word)` uint64.
        order: `(n_chunk, CHUNK)` int32: the row at each place; -1 for none, an empty row.
        first: first chunk.
        last: the chunk after the last.
        planes: `(n_chunk, n_plane, RUN)` uint64, written.
        zeros_in: `(n_chunk, n_digit, RUN)` uint64: the binary digits of half of the number of zeros among the
            `n_plane` bits of each row, rounded down, written; may have no digits.
    """
    n_plane = planes.shape[1]
    matrix = np.empty((64, LANES), np.uint64)
    count = np.empty((64, LANES), np.uint64)
    for chunk in range(first, last):
        for column in range(0, RUN, LANES):
            if order[chunk, column * 64] < 0:
                break
            count[:] = n_plane
            for word in range(words.shape[1]):
                for lane in range(LANES):
                    for i in range(64):
                        row = order[chunk, (column + lane) * 64 + i]
                        bits = words[row, word] if row >= 0 else np.uint64(0)
                        matrix[i, lane] = bits
                        count[i, lane] -= np.uint64(popcount(bits))
                transpose(matrix)
                for plane in range(min(64, n_plane - 64 * word)):
                    planes[chunk, 64 * word + plane, column : column + LANES] = matrix[plane]
            if zeros_in.shape[1]:
                transpose(count)
                for digit in range(zeros_in.shape[1]):
                    zeros_in[chunk, digit, column : column + LANES] = count[digit + 1]


@jit
def add_planes(
    sources: Any, n_source: int, start: int, n_digit: int, end: int, high: int, low: int, values: int
) -> None:
    """Add planes to digit planes.

    Args:
        sources: addresses of the planes, `n_source` of them, a multiple of 16.
        n_source: how many.
        start: address of the digit planes to begin with.
        n_digit: how many digits, at least four.
        end: length of a run in bytes.
        high: address of the resulting digits from digit 4 on.
        low: address of digit 0.
        values: of eight planes: the items whose digits 3, 2 and 1 are 000, 001, 010 and so on.
    """
    n_high = (n_digit - LOW_DIGITS) * _BYTES
    for at in range(0, end, 64):
        one, two = load(start + at), load(start + _BYTES + at)
        four, eight = load(start + 2 * _BYTES + at), load(start + 3 * _BYTES + at)
        for digit in range(at, n_high + at, _BYTES):
            store(high + digit, load(start + LOW_DIGITS * _BYTES + digit))
        for i in range(0, n_source, 16):
            one, two_a = full_add(one, load(sources[i] + at), load(sources[i + 1] + at))
            one, two_b = full_add(one, load(sources[i + 2] + at), load(sources[i + 3] + at))
            two, four_a = full_add(two, two_a, two_b)
            one, two_a = full_add(one, load(sources[i + 4] + at), load(sources[i + 5] + at))
            one, two_b = full_add(one, load(sources[i + 6] + at), load(sources[i + 7] + at))
            two, four_b = full_add(two, two_a, two_b)
            four, eight_a = full_add(four, four_a, four_b)
            one, two_a = full_add(one, load(sources[i + 8] + at), load(sources[i + 9] + at))
            one, two_b = full_add(one, load(sources[i + 10] + at), load(sources[i + 11] + at))
            two, four_a = full_add(two, two_a, two_b)
            one, two_a = full_add(one, load(sources[i + 12] + at), load(sources[i + 13] + at))
            one, two_b = full_add(one, load(sources[i + 14] + at), load(sources[i + 15] + at))
            two, four_b = full_add(two, two_a, two_b)
            four, eight_b = full_add(four, four_a, four_b)
            eight, carry = full_add(eight, eight_a, eight_b)
            for digit in range(high + at, high + n_high + at, _BYTES):
                value = load(digit)
                store(digit, xor(value, carry))
                carry = and_(value, carry)
        store(low + at, one)
        pairs = not_(or_(eight, four)), andnot(four, eight), andnot(eight, four), and_(eight, four)
        for place, plane in enumerate(pairs):
            store(values + 2 * place * _BYTES + at, andnot(plane, two))
            store(values + (2 * place + 1) * _BYTES + at, and_(plane, two))


@jit
def split(items: int, digit: int, end: int, children: int) -> Any:
    """Write the items whose digit is 0, and those whose digit is 1, as two runs; whether there are any."""
    any_zero, any_one = zeros(), zeros()
    for at in range(0, end, 64):
        here, plane = load(items + at), load(digit + at)
        zero, one = andnot(here, plane), and_(here, plane)
        store(children + at, zero)
        store(children + _BYTES + at, one)
        any_zero, any_one = or_(any_zero, zero), or_(any_one, one)
    return not is_zero(any_zero), not is_zero(any_one)


@jit
def find(items: int, values: int, end: int) -> int:
    """Return which of eight planes have bits in common with the items, as bits 0 to 7."""
    a, b, c, d = zeros(), zeros(), zeros(), zeros()
    e, f, g, h = zeros(), zeros(), zeros(), zeros()
    for at in range(0, end, 64):
        here = load(items + at)
        where = values + at
        a = or_(a, and_(here, load(where)))
        b = or_(b, and_(here, load(where + _BYTES)))
        c = or_(c, and_(here, load(where + 2 * _BYTES)))
        d = or_(d, and_(here, load(where + 3 * _BYTES)))
        e = or_(e, and_(here, load(where + 4 * _BYTES)))
        f = or_(f, and_(here, load(where + 5 * _BYTES)))
        g = or_(g, and_(here, load(where + 6 * _BYTES)))
        h = or_(h, and_(here, load(where + 7 * _BYTES)))
    found = 0
    for bit, plane in enumerate((a, b, c, d, e, f, g, h)):
        found |= (not is_zero(plane)) << bit
    return found


@jit
def count(n: int, items: int, value: int, hits: int, digit: int) -> Any:
    """Call `count_relevant` with one of `LENGTHS`."""
    if n == 7:
        return count_relevant(7, items, value, hits, digit)
    if n == 11:
        return count_relevant(11, items, value, hits, digit)
    if n == 15:
        return count_relevant(15, items, value, hits, digit)
    if n == 19:
        return count_relevant(19, items, value, hits, digit)
    if n == 23:
        return count_relevant(23, items, value, hits, digit)
    if n == 27:
        return count_relevant(27, items, value, hits, digit)
    return count_relevant(31, items, value, hits, digit)


@inlined
def select_planes(query: Any, bits: int, planes: int, zero: int, sources: Any) -> Any:
    """Write the addresses of the planes of one chunk that are added for a query, filled up to 16 with `zero`.

    Returns how many, the number of ones of the query (of its complement, if that has fewer), and whether it
    is complemented.
    """
    weight = np.int64(0)
    for word in range(query.shape[0]):
        weight += popcount(query[word])
    complement = 2 * weight > bits
    if complement:
        weight = bits - weight
    n_source = 0
    for word in range(query.shape[0]):
        ones = query[word]
        if complement:
            ones = ~ones
            if bits - 64 * word < 64:
                ones &= (np.uint64(1) << np.uint64(bits - 64 * word)) - np.uint64(1)
        base = planes + 64 * word * _BYTES
        while ones:
            sources[n_source] = base + lowest_one(ones) * _BYTES
            n_source += 1
            ones &= ones - np.uint64(1)
    while n_source % 16:
        sources[n_source] = zero
        n_source += 1
    return n_source, weight, complement


@inlined
def mark_relevant(labels: Any, label_planes: int, end: int, hits: int) -> None:
    """Write which items of one chunk share a label with a query."""
    for at in range(0, end, 64):
        store(hits + at, zeros())
    for word in range(labels.shape[0]):
        ones = labels[word]
        while ones:
            label = label_planes + (64 * word + lowest_one(ones)) * _BYTES
            for at in range(0, end, 64):
                store(hits + at, or_(load(hits + at), load(label + at)))
            ones &= ones - np.uint64(1)


@inlined
def next_leaf(pending: int, nodes: Any, high: int, tree: int, end: int) -> Any:
    """Walk the binary tree over the high digits, the highest at its root, to the next leaf.

    `nodes` `(n_high + 2, 3)` int64 are the `pending` nodes: address of the items, digits below, value of the
    digits above. `tree` has two runs for each level. Returns the address of the leaf's items, the value of
    all high digits, and how many nodes are pending now.
    """
    while True:
        pending -= 1
        items, level, value = nodes[pending, 0], nodes[pending, 1], nodes[pending, 2]
        if not level:
            return items, value, pending
        level -= 1
        children = tree + 2 * level * _BYTES
        occurs = split(items, high + level * _BYTES, end, children)
        for digit in range(2):
            if occurs[digit]:
                nodes[pending, 0] = children + digit * _BYTES
                nodes[pending, 1] = level
                nodes[pending, 2] = 2 * value + digit
                pending += 1


@inlined
def distances_of(
    value: int, pair: int, odd: int, weight: int, complement: Any, bits: int, modulus: int
) -> Any:
    """Return the distances of a leaf's items whose digits 3, 2 and 1 are `pair`, lowest digit 0 and 1."""
    similar = (32 * value + 4 * pair + odd - weight) & modulus
    next_similar = (similar + 2) & modulus
    if complement:
        return similar, next_similar
    return bits - similar, bits - next_similar


@jit
def add_bitsliced(
    query_words: Any,
    query_labels: Any,
    planes: Any,
    zeros_in: Any,
    valid: Any,
    label_planes: Any,
    lengths: Any,
    odd: Any,
    scratch: Any,
    first: int,
    last: int,
    retrieved: Any,
    relevant: Any,
) -> None:
    """Add the counts of all chunks to the tables, for queries `first` to `last`.

    Args:
        query_words: `(n_query, n_word)` uint64.
        query_labels: `(n_query, n_label_word)` uint64.
        planes: `(n_chunk, bits, RUN)` uint64 from `slice_rows`, at a multiple of 64 like all planes here.
        zeros_in: `(n_chunk, n_digit, RUN)` uint64 from `slice_rows`; at least four digits, and
            `2 ** n_digit > bits / 2`.
        valid: `(n_chunk, RUN)` uint64, which places hold an item.
        label_planes: `(n_chunk, n_label, RUN)` uint64.
        lengths: `(n_chunk,)` int64, vectors in use, one of `LENGTHS`.
        odd: `(n_chunk,)` int64, 1 where the items of a chunk have an odd number of zeros, otherwise 0.
        scratch: uint64, aligned, `RUN * 3 * n_digit` words.
        first: first query.
        last: the query after the last.
        retrieved: `(n_query, bits + 1)` int64, added to.
        relevant: `(n_query, bits + 1)` int64, added to.
    """
    bits = planes.shape[1]
    n_digit = zeros_in.shape[1]
    modulus = (2 << n_digit) - 1
    n_high = n_digit - LOW_DIGITS
    low = address(scratch)
    values = low + _BYTES
    high = values + 8 * _BYTES
    hits = high + n_high * _BYTES  # relevant items
    zero = hits + _BYTES
    tree = zero + _BYTES  # two runs for each level
    for at in range(0, _BYTES, 64):
        store(zero + at, zeros())
    sources = np.empty(bits + 16, np.int64)
    nodes = np.empty((n_high + 2, 3), np.int64)
    for chunk in range(planes.shape[0]):
        plane_base = address(planes) + chunk * bits * _BYTES
        zeros_base = address(zeros_in) + chunk * n_digit * _BYTES
        label_base = address(label_planes) + chunk * label_planes.shape[1] * _BYTES
        length = lengths[chunk]
        end = length * 64
        for i in range(first, last):
            n_source, weight, complement = select_planes(query_words[i], bits, plane_base, zero, sources)
            add_planes(sources, n_source, zeros_base, n_digit, end, high, low, values)
            mark_relevant(query_labels[i], label_base, end, hits)
            nodes[0, 0], nodes[0, 1], nodes[0, 2] = address(valid) + chunk * _BYTES, n_high, 0
            pending = 1
            while pending:
                items, value, pending = next_leaf(pending, nodes, high, tree, end)
                found = find(items, values, end)
                for pair in range(8):
                    if (found >> pair) & 1 == 0:
                        continue
                    n, n_one, m, m_one = count(length, items, values + pair * _BYTES, hits, low)
                    d, e = distances_of(value, pair, odd[chunk], weight, complement, bits, modulus)
                    if n > n_one:
                        retrieved[i, d] += n - n_one
                        relevant[i, d] += m - m_one
                    if n_one:
                        retrieved[i, e] += n_one
                        relevant[i, e] += m_one
