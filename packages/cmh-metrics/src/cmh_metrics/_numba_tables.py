"""Ranking tables by the bit-sliced kernel: slices the database, shares the queries out over threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics import _bitsliced_kernel as kernel
from cmh_metrics._threads import over_ranges

if TYPE_CHECKING:
    from cmh_metrics._inputs import Slab

Words = np.ndarray[Any, np.dtype[np.uint64]]
Table = np.ndarray[Any, np.dtype[np.int64]]


def add_tables(
    slab: Slab,
    retrieved: Table,
    relevant: Table,
    *,
    n_label: int,
    threads: int,
) -> None:
    """Add the counts of one slab of database rows to the two tables."""
    n, bits = len(slab.database_words), retrieved.shape[1] - 1
    n_chunk = -(-n // kernel.CHUNK)
    n_digit = max(5, bits.bit_length())
    planes = aligned_words(n_chunk, bits, kernel.RUN)
    zeros_in = aligned_words(n_chunk, n_digit, kernel.RUN)
    label_planes = aligned_words(n_chunk, n_label, kernel.RUN)
    valid = aligned_words(n_chunk, 1, kernel.RUN)
    no_digits = np.empty((n_chunk, 0, kernel.RUN), np.uint64)

    def prepare(first: int, last: int) -> None:
        kernel.slice_rows(slab.database_words, first, last, planes, zeros_in)
        kernel.slice_rows(slab.database_labels, first, last, label_planes, no_digits)

    def rank(first: int, last: int) -> None:
        scratch = aligned_words(1, 2 * n_digit + 6, kernel.RUN).ravel()
        kernel.add_bitsliced(
            slab.query_words,
            slab.query_labels,
            planes,
            zeros_in,
            valid,
            label_planes,
            scratch,
            first,
            last,
            retrieved,
            relevant,
        )

    over_ranges(prepare, n_chunk, threads)
    valid.reshape(-1)[: n // 64] = ~np.uint64(0)
    if n % 64:
        valid.reshape(-1)[n // 64] = np.uint64((1 << (n % 64)) - 1)
    over_ranges(rank, len(slab.query_words), threads)


def aligned_words(*shape: int) -> Words:
    """Return an array of zero words at an address that is a multiple of 64."""
    n = int(np.prod(shape))
    buffer = np.zeros(n + 8, np.uint64)
    skip = -buffer.ctypes.data % 64 // 8
    return buffer[skip : skip + n].reshape(shape)
