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
    inverse,
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
                        count[i, lane] -= np.uint64(popcount(bits))
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
def add_planes(sources: Any, n_source: int, start: int, n_digit: int, digits: int, low: int) -> None:
    """Add planes, from the second digit on, to digit planes.

    Args:
        sources: addresses of the planes, `n_source` of them, a multiple of 16.
        n_source: how many.
        start: address of the digit planes to begin with.
        n_digit: how many digits, at least five.
        digits: address of the resulting digit planes; the two lowest are not written,
        low: but here, as four planes: the items whose lowest digits are 00, 01, 10 and 11.
    """
    for at in range(0, _BYTES, 64):
        one, two = load(start + _BYTES + at), load(start + 2 * _BYTES + at)
        four, eight = load(start + 3 * _BYTES + at), load(start + 4 * _BYTES + at)
        for digit in range(5 * _BYTES + at, n_digit * _BYTES, _BYTES):
            store(digits + digit, load(start + digit))
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
            for digit in range(digits + 5 * _BYTES + at, digits + n_digit * _BYTES, _BYTES):
                value = load(digit)
                store(digit, differ(value, carry))
                carry = both(value, carry)
        store(digits + 2 * _BYTES + at, two)
        store(digits + 3 * _BYTES + at, four)
        store(digits + 4 * _BYTES + at, eight)
        zero = load(start + at)
        store(low + at, without(inverse(zero), one))
        store(low + _BYTES + at, without(zero, one))
        store(low + 2 * _BYTES + at, without(one, zero))
        store(low + 3 * _BYTES + at, both(zero, one))


@jit
def narrow(parent: int, digit: int, value: int, child: int) -> bool:
    """Write the items of `parent` whose digit has the given value to `child`; whether there are any."""
    found = zeros()
    flip = inverse(zeros()) if value == 0 else zeros()
    for at in range(0, _BYTES, 64):
        items = both(load(parent + at), differ(load(digit + at), flip))
        store(child + at, items)
        found = either(found, items)
    return not is_zero(found)


@jit
def narrow_leaf(parent: int, digit: int, value: int, wanted: int, items: int, chosen: int) -> Any:
    """Write the items of a leaf, and the relevant ones among them; whether there are any of either."""
    found, found_chosen = zeros(), zeros()
    flip = inverse(zeros()) if value == 0 else zeros()
    for at in range(0, _BYTES, 64):
        here = both(load(parent + at), differ(load(digit + at), flip))
        relevant = both(here, load(wanted + at))
        store(items + at, here)
        store(chosen + at, relevant)
        found = either(found, here)
        found_chosen = either(found_chosen, relevant)
    return not is_zero(found), not is_zero(found_chosen)


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
        zeros_in: `(n_chunk, n_digit, RUN)` uint64 from `slice_rows`; at least five digits, enough for any
            distance.
        valid: `(n_chunk, RUN)` uint64, which places hold an item.
        label_planes: `(n_chunk, n_label, RUN)` uint64.
        scratch: uint64, aligned, `RUN * (2 * n_digit + 6)` words.
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
    levels = low + 2 * _BYTES  # the items of the tree's node at levels 2, 3, ..., above the leaves
    wanted = levels + (depth + 1) * _BYTES  # relevant items
    items = wanted + _BYTES  # items of a leaf
    chosen = items + _BYTES  # relevant items of a leaf
    zero = chosen + _BYTES
    clear(zero)
    sources = np.empty(bits + 16, np.int64)
    for chunk in range(planes.shape[0]):
        plane_base = address(planes) + chunk * bits * _BYTES
        for i in range(first, last):
            weight = np.int64(0)
            for word in range(query_words.shape[1]):
                weight += popcount(query_words[i, word])
            complement = 2 * weight > bits
            if complement:
                weight = bits - weight
            n_source = 0
            for bit in range(bits):
                is_one = (query_words[i, bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1) != 0
                if is_one != complement:
                    sources[n_source] = plane_base + bit * _BYTES
                    n_source += 1
            while n_source % 16:
                sources[n_source] = zero
                n_source += 1
            add_planes(sources, n_source, address(zeros_in) + chunk * n_digit * _BYTES, n_digit, digits, low)

            clear(wanted)
            for label in range(label_planes.shape[1]):
                if (query_labels[i, label >> 6] >> np.uint64(label & 63)) & np.uint64(1) != 0:
                    base = address(label_planes) + (chunk * label_planes.shape[1] + label) * _BYTES
                    for at in range(0, _BYTES, 64):
                        store(wanted + at, either(load(wanted + at), load(base + at)))

            leaf = 0
            level = 1
            while leaf < 1 << depth:
                alive = True
                for here in range(level, depth):
                    value = (leaf >> (depth - here)) & 1
                    parent = levels + here * _BYTES if here > 1 else address(valid) + chunk * _BYTES
                    child = levels + (here + 1) * _BYTES
                    if not narrow(parent, digits + (n_digit - here) * _BYTES, value, child):
                        leaf = ((leaf >> (depth - here)) + 1) << (depth - here)
                        alive = False
                        break
                if alive:
                    any_items, any_relevant = narrow_leaf(
                        levels + depth * _BYTES, digits + 2 * _BYTES, leaf & 1, wanted, items, chosen
                    )
                    if not any_items:
                        leaf += 1
                        alive = False
                if alive:
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
