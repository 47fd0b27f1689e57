"""Ranking tables by the bit-sliced kernel: slices the database, shares the queries out over threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._kernels import bitsliced as kernel

if TYPE_CHECKING:
    from cmh_metrics._inputs.ranking_inputs import Slab

Words = np.ndarray[Any, np.dtype[np.uint64]]
Table = np.ndarray[Any, np.dtype[np.int64]]
Rows = np.ndarray[Any, np.dtype[np.int32]]


class Planes(NamedTuple):
    """One slab of the database as the bit-sliced kernels want it; `bitsliced.add_bitsliced` describes all."""

    planes: Words
    zeros_in: Words
    valid: Words
    label_planes: Words
    lengths: Table
    odd: Table


def sliced(slab: Slab, *, bits: int, n_label: int, threads: int) -> tuple[Planes, Rows]:
    """Return the bit planes of one slab, and which row is where: `(n_chunk, CHUNK)`, -1 for none."""
    order, lengths, odd = part_by_parity(slab.database_words, bits)
    n_chunk = len(order)
    planes = aligned_words(n_chunk, bits, kernel.RUN)
    zeros_in = aligned_words(n_chunk, n_digit(bits), kernel.RUN)
    label_planes = aligned_words(n_chunk, n_label, kernel.RUN)
    valid = aligned_words(n_chunk, 1, kernel.RUN)
    valid[:, 0] = np.packbits(order >= 0, axis=1, bitorder="little").view("<u8")
    no_digits = np.empty((n_chunk, 0, kernel.RUN), np.uint64)

    def prepare(first: int, last: int) -> None:
        kernel.slice_rows(slab.database_words, order, first, last, planes, zeros_in)
        kernel.slice_rows(slab.database_labels, order, first, last, label_planes, no_digits)

    over_ranges(prepare, n_chunk, threads)
    return Planes(planes, zeros_in, valid, label_planes, lengths, odd), order


def n_digit(bits: int) -> int:
    """Return the binary digits that the kernels count half of an agreement in."""
    return max(kernel.LOW_DIGITS, bits.bit_length() - 1)


def add_tables(
    slab: Slab,
    retrieved: Table,
    relevant: Table,
    *,
    n_label: int,
    threads: int,
) -> None:
    """Add the counts of one slab of database rows to the two tables."""
    bits = retrieved.shape[1] - 1
    planes, _ = sliced(slab, bits=bits, n_label=n_label, threads=threads)

    def rank(first: int, last: int) -> None:
        scratch = aligned_words(3 * n_digit(bits) * kernel.RUN)
        kernel.add_bitsliced(
            slab.query_words, slab.query_labels, *planes, scratch, first, last, retrieved, relevant
        )

    over_ranges(rank, len(slab.query_words), threads)


def part_by_parity(words: Words, bits: int) -> tuple[Rows, Table, Table]:
    """Share rows out over chunks that hold either only even or only odd numbers of zeros.

    Returns:
        Row numbers `(n_chunk, CHUNK)`, -1 for none; the vectors in use of each chunk; whether it is odd.
    """
    is_odd = (np.bitwise_count(words).sum(axis=1) + bits) & 1
    chunks, lengths, odd = [], [], []
    for parity in (0, 1):
        rows = np.flatnonzero(is_odd == parity)
        for length in chunk_lengths(len(rows)):
            part, rows = np.split(rows, [length * 512])
            chunk = np.full(kernel.CHUNK, -1, np.int32)
            chunk[: len(part)] = part
            chunks.append(chunk)
            lengths.append(length)
            odd.append(parity)
    return np.array(chunks), np.array(lengths), np.array(odd)


def chunk_lengths(n_row: int) -> list[int]:
    """Return the lengths in vectors of as few chunks as hold so many rows, with little room to spare."""
    shortest, longest = kernel.LENGTHS[0], kernel.LENGTHS[-1]
    step = kernel.LENGTHS[1] - shortest
    n_chunk = -(-n_row // kernel.CHUNK)
    needed = -(-n_row // 512)  # vectors
    fewer = min(n_chunk * longest - needed, n_chunk * (longest - shortest)) // step  # steps below the longest
    return [longest - step * (fewer * (i + 1) // n_chunk - fewer * i // n_chunk) for i in range(n_chunk)]


def aligned_words(*shape: int) -> Words:
    """Return an array of zero words at an address that is a multiple of 64."""
    n = int(np.prod(shape))
    buffer = np.zeros(n + 8, np.uint64)
    skip = -buffer.ctypes.data % 64 // 8
    return buffer[skip : skip + n].reshape(shape)
