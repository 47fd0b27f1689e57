"""Precisions with ties by database row, by the bit-sliced kernel."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.numba_tables import aligned_words, n_digit, sliced
from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._kernels import by_row as kernel
from cmh_metrics._kernels.bitsliced import RUN

if TYPE_CHECKING:
    from cmh_metrics._backends.stable_order import Ranks
    from cmh_metrics._inputs.ranking_inputs import RankingInputs, Slab

Floats = np.ndarray[Any, np.dtype[np.float64]]

_MOST_RECIPROCALS = 1 << 20


def add_precisions(slab: Slab, inputs: RankingInputs, ranks: Ranks, *, n_item: int, threads: int) -> None:
    """Add the precisions at the relevant items of one slab of a database of `n_item` rows."""
    planes, order = sliced(slab, bits=inputs.bits, n_label=inputs.n_label, threads=threads)
    inverse = reciprocals(min(n_item, _MOST_RECIPROCALS))

    def work(first: int, last: int) -> None:
        scratch = aligned_words((3 * n_digit(inputs.bits) + 5) * RUN)
        kernel.add_by_row(
            slab.query_words,
            slab.query_labels,
            *planes,
            order,
            patterns(),
            inverse,
            scratch,
            slab.start,
            first,
            last,
            *ranks,
        )

    over_ranges(work, len(slab.query_words), threads)


@cache
def patterns() -> Floats:
    """Return, for each pattern of 8 bits, the ones up to each bit, 0 where it is 0; then all ones."""
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    table = aligned_words(256 * 9).view(np.float64)
    table[: 256 * 8] = (ones.cumsum(axis=1) * ones).ravel()
    table[256 * 8 :] = ones.sum(axis=1)
    return table


@cache
def reciprocals(n: int) -> Floats:
    """Return 0 and `1 / i` for i = 1..n and a few more, as the kernel reads eight at a time."""
    return np.concatenate([[0.0], 1 / np.arange(1.0, n + 17)])
