"""Ranking tables from bit planes: 512 database items at a time, without a loop over pairs.

The database is stored transposed, one plane of bits per code bit. For a query q of |q| ones, the number of
bits in which it agrees with x is

    bits - |q XOR x| = zeros(x) - |q| + 2 * sum_{k: q_k = 1} x_k

so the planes of x where q has a one are added, with full adders over whole vectors, to the planes of
zeros(x), the number of zeros of x, from the second binary digit on. What comes out is the agreement plus |q|,
modulo a power of two above the code length, as binary digit planes. (A query with more ones than zeros is
complemented: agreement and distance then change places.)

The items at one distance are those whose digits match it. The upper digits are walked as a binary tree,
leaving out subtrees without items; at a leaf, the items are counted for each of the four values of the two
lowest digits.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._jit import jit
from cmh_metrics._popcount import popcount
from cmh_metrics._vectors import (
    COUNTED,
    LANES,
    address,
    both,
    count_both,
    differ,
    either,
    full_add,
    is_zero,
    load,
    store,
    without,
    zeros,
)

RUN = COUNTED * LANES  # words in a run: one plane of one chunk
CHUNK = RUN * 64  # database items in a chunk
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
def slice_rows(words: Any, first: int, last: int, planes: Any, zeros_in: Any) -> None:
    """Write the bit planes of packed rows, for chunks `first` to `last`.

    Args:
        words: `(n, n_word)` uint64.
        first: first chunk.
        last: the chunk after the last.
        planes: `(n_chunk, n_plane, RUN)` uint64, written; places beyond the last row are those of an empty
            row.
        zeros_in: `(n_chunk, n_digit, RUN)` uint64: the binary digits of the number of zeros among the
            `n_plane` bits of each row, written; may have no digits.
    """
    n_plane = planes.shape[1]
    matrix = np.empty((64, LANES), np.uint64)
    count = np.empty((64, LANES), np.uint64)
    for chunk in range(first, last):
        for column in range(0, RUN, LANES):
            start = (chunk * RUN + column) * 64
            count[:] = n_plane
            for word in range(words.shape[1]):
                for lane in range(LANES):
                    for i in range(64):
                        row = start + 64 * lane + i
                        bits = words[row, word] if row < words.shape[0] else np.uint64(0)
                        matrix[i, lane] = bits
                        count[i, lane] -= popcount(bits)
                transpose(matrix)
                for plane in range(min(64, n_plane - 64 * word)):
                    planes[chunk, 64 * word + plane, column : column + LANES] = matrix[plane]
            if zeros_in.shape[1]:
                transpose(count)
                for digit in range(zeros_in.shape[1]):
                    zeros_in[chunk, digit, column : column + LANES] = count[digit]


@jit
def clear(where: int) -> None:
    """Zero one run of vectors."""
    for at in range(where, where + _BYTES, 64):
        store(at, zeros())


@jit
def add_eight(sources: Any, digits: int, n_digit: int) -> None:
    """Add eight planes, at the addresses `sources`, to the digit planes from the second digit on."""
    for at in range(0, _BYTES, 64):
        d1, d2, d3 = digits + _BYTES + at, digits + 2 * _BYTES + at, digits + 3 * _BYTES + at
        one, two, four = load(d1), load(d2), load(d3)
        one, two_a = full_add(one, load(sources[0] + at), load(sources[1] + at))
        one, two_b = full_add(one, load(sources[2] + at), load(sources[3] + at))
        two, four_a = full_add(two, two_a, two_b)
        one, two_a = full_add(one, load(sources[4] + at), load(sources[5] + at))
        one, two_b = full_add(one, load(sources[6] + at), load(sources[7] + at))
        two, four_b = full_add(two, two_a, two_b)
        four, carry = full_add(four, four_a, four_b)
        store(d1, one)
        store(d2, two)
        store(d3, four)
        for where in range(digits + 4 * _BYTES + at, digits + n_digit * _BYTES, _BYTES):
            digit = load(where)
            store(where, differ(digit, carry))
            carry = both(digit, carry)


@jit
def narrow(parent: int, digit: int, value: int, child: int) -> bool:
    """Write the items of `parent` whose digit has the given value to `child`; whether there are any."""
    found = zeros()
    for at in range(0, _BYTES, 64):
        if value:
            items = both(load(parent + at), load(digit + at))
        else:
            items = without(load(parent + at), load(digit + at))
        store(child + at, items)
        found = either(found, items)
    return not is_zero(found)


@jit
def add_bitsliced(
    query_words: Any,
    query_labels: Any,
    planes: Any,
    zeros_in: Any,
    valid: Any,
    label_planes: Any,
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
        zeros_in: `(n_chunk, n_digit, RUN)` uint64 from `slice_rows`; at least four digits, enough for any
            distance.
        valid: `(n_chunk, RUN)` uint64, which places hold an item.
        label_planes: `(n_chunk, n_label, RUN)` uint64.
        scratch: uint64, aligned, `RUN * (2 * n_digit + 5)` words.
        first: first query.
        last: the query after the last.
        retrieved: `(n_query, bits + 1)` int64, added to.
        relevant: `(n_query, bits + 1)` int64, added to.
    """
    bits = planes.shape[1]
    n_digit = zeros_in.shape[1]
    depth = n_digit - 2  # digits of the tree; the two lowest are left for its leaves
    digits = address(scratch)
    low = digits + n_digit * _BYTES  # which items have the lowest digits 00, 01, 10, 11
    levels = low + 4 * _BYTES  # the items of the tree's node at each level, level 0 being the root
    wanted = levels + (depth + 1) * _BYTES  # relevant items
    chosen = wanted + _BYTES  # relevant items of a leaf
    zero = chosen + _BYTES
    clear(zero)
    sources = np.empty(8, np.int64)
    for chunk in range(planes.shape[0]):
        plane_base = address(planes) + chunk * bits * _BYTES
        for i in range(first, last):
            weight = np.int64(0)
            for word in range(query_words.shape[1]):
                weight += np.int64(popcount(query_words[i, word]))
            complement = 2 * weight > bits
            if complement:
                weight = bits - weight
            base = address(zeros_in) + chunk * n_digit * _BYTES
            for at in range(0, n_digit * _BYTES, 64):
                store(digits + at, load(base + at))
            pending = 0
            for bit in range(bits):
                is_one = (query_words[i, bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1) != 0
                if is_one != complement:
                    sources[pending] = plane_base + bit * _BYTES
                    pending += 1
                    if pending == 8:
                        add_eight(sources, digits, n_digit)
                        pending = 0
            if pending:
                sources[pending:] = zero
                add_eight(sources, digits, n_digit)

            clear(wanted)
            for label in range(label_planes.shape[1]):
                if (query_labels[i, label >> 6] >> np.uint64(label & 63)) & np.uint64(1) != 0:
                    base = address(label_planes) + (chunk * label_planes.shape[1] + label) * _BYTES
                    for at in range(0, _BYTES, 64):
                        store(wanted + at, either(load(wanted + at), load(base + at)))

            root = address(valid) + chunk * _BYTES
            for at in range(0, _BYTES, 64):
                d0, d1 = load(digits + at), load(digits + _BYTES + at)
                store(levels + at, load(root + at))
                store(low + 3 * _BYTES + at, both(d0, d1))
                store(low + 2 * _BYTES + at, without(d1, d0))
                store(low + 1 * _BYTES + at, without(d0, d1))
                neither = either(d0, d1)
                store(low + at, without(load(root + at), neither))

            leaf = 0
            level = 1
            while leaf < 1 << depth:
                alive = True
                for here in range(level, depth + 1):
                    value = (leaf >> (depth - here)) & 1
                    node = levels + here * _BYTES
                    if not narrow(node - _BYTES, digits + (n_digit - here) * _BYTES, value, node):
                        leaf = ((leaf >> (depth - here)) + 1) << (depth - here)
                        alive = False
                        break
                if alive:
                    items = levels + depth * _BYTES
                    any_relevant = narrow(items, wanted, 1, chosen)
                    for last_digits in range(4):
                        similarity = (4 * leaf + last_digits - weight) & ((1 << n_digit) - 1)
                        if similarity <= bits:
                            d = similarity if complement else bits - similarity
                            retrieved[i, d] += count_both(items, low + last_digits * _BYTES)
                            if any_relevant:
                                relevant[i, d] += count_both(chosen, low + last_digits * _BYTES)
                    leaf += 1
                level = depth
                while level > 0 and (leaf >> (depth - level)) & 1 == 0:
                    level -= 1
                level = max(level, 1)
