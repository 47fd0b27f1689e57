"""How far queries are from the images, and from the texts, of an index on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from cmh_metrics import unpack_codes

from cmh_search._segment import SIDES, groups_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_metrics import PackedCodes
    from numpy.typing import NDArray

    from cmh_search._segment import Side
    from cmh_search._state import IndexState

PARTS_OF_A_BIT = 256  # means are whole multiples of 1/256 bit: sums of them are exact in float32
_ROWS = 2**16  # codes unpacked at a time


def count_ones(state: IndexState) -> dict[Side, tuple[NDArray[np.int64], int]]:
    """Count, over the live items with a code of each modality, how many have each bit set, and all of them.

    Returns:
        For each modality `(bits,)` int64, and the number of codes.
    """
    counts = {}
    for side in SIDES:
        ones, n = np.zeros(state.manifest.bits, np.int64), 0
        for segment in state.segments:
            for group in groups_with(side):
                rows = segment.rows[group]
                live = np.arange(len(rows))
                if segment.deleted is not None:
                    live = np.flatnonzero(~segment.deleted[rows])
                n += len(live)
                for start in range(0, len(live), _ROWS):
                    codes = unpack_codes(segment.codes(side, group)[live[start : start + _ROWS]])
                    ones += (codes > 0).sum(axis=0)
        counts[side] = ones, n
    return counts


def mean_distances(
    counts: Mapping[Side, tuple[NDArray[np.int64], int]], queries: PackedCodes
) -> dict[Side, NDArray[np.float32]]:
    """Return each query's mean distance to the codes of each modality, without comparing it with any.

    Args:
        counts: as `count_ones` returns them.
        queries: of as many bits.

    Returns:
        For each modality `(n_query,)` float32 in bits, to the next 1/256; 0 where no item has it.
    """
    bits = (unpack_codes(queries) > 0).astype(np.int64)  # (n_query, bits)
    means = {}
    for side, (ones, n) in counts.items():
        total = ones.sum() + bits @ (n - 2 * ones)  # a set bit differs from the n - ones others
        means[side] = (np.rint(PARTS_OF_A_BIT * total / max(n, 1)) / PARTS_OF_A_BIT).astype(np.float32)
    return means
