"""In which order rows lose their partner as the percentage rises.

Every row has a place in [0, 1): its rank i inside its block (or label set) of s rows, spread over that block
as (i + u) / s. Rows are taken in the order of their places, so a plan of 20% lies inside one of 40% by
construction, and every block gives its share. The offset u is 1/2 for a partial block, which makes its share
the nearest integer; for full blocks it follows the golden ratio, so that half a row per block becomes one row
in every other block and not one in each block of the first half.

So it is enough to know how many rows every block gives, and the rank of every row in its block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Cut:
    """The first rows of every block up to some share get a flag, or all but the first ones.

    Attributes:
        flag: The flag.
        counts: `(n_block,)` number of first rows of each block.
        others: Whether all but the first rows get the flag.
    """

    flag: int
    counts: NDArray[np.int64]
    others: bool = False


def spread(n_block: int) -> NDArray[np.float64]:
    """Evenly spread numbers in (0, 1), one for each block."""
    return np.clip((np.arange(1, n_block + 1) * GOLDEN) % 1.0, 1e-9, 1 - 1e-9)


def apportion(sizes: NDArray[np.int64], offsets: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """How many of the rows with the smallest places lie in each block.

    Args:
        sizes: `(n_block,)` rows of every block.
        offsets: `(n_block,)` in (0, 1), where the places of a block start.
        total: Rows of all blocks together.

    Returns:
        `(n_block,)` counts with the sum `total`.
    """
    n = int(sizes.sum())
    if len(sizes) == 1 or total in (0, n):
        return sizes * total // n
    middle = np.floor(sizes * (total / n)).astype(np.int64)
    reach = 2  # ranks around the middle between which the last row of a block is sought
    while True:
        low, high = np.clip(middle - reach, 0, sizes), np.clip(middle + reach + 1, 0, sizes)
        ranks = low[:, None] + np.arange(int((high - low).max()))  # (n_block, ranks)
        sought = ranks < high[:, None]
        places = np.where(sought, (ranks + offsets[:, None]) / sizes[:, None], np.inf).ravel()
        missing = total - int(low.sum())
        if 0 < missing <= int(np.count_nonzero(sought)):
            border = np.partition(places, missing - 1)[missing - 1]
            taken = places < border
            taken[np.flatnonzero(places == border)[: missing - int(np.count_nonzero(taken))]] = True
            before, behind = (low - 1 + offsets) / sizes, (high + offsets) / sizes
            if np.all((before < border) | (low == 0)) and np.all((behind > border) | (high == sizes)):
                return np.asarray(low + taken.reshape(ranks.shape).sum(axis=1))
        reach *= 4


def rank_rows(
    keys: NDArray[Any] | None, group: NDArray[np.int64], sizes: NDArray[np.int64], *, reverse: bool = False
) -> NDArray[np.int64]:
    """Rank the rows of every block.

    Args:
        keys: `(n,)` sort keys, small first, equal ones in the order of rows; None for the rows' own order.
        group: `(n,)` number of the block of every row.
        sizes: `(n_block,)` rows of every block.
        reverse: With `keys=None`: last row of a block first.

    Returns:
        `(n,)` ranks, from 0 in every block.
    """
    order = np.argsort(group, kind="stable") if keys is None else np.lexsort((keys, group))
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return sizes[group] - 1 - rank if reverse and keys is None else rank


def give_flags(rank: NDArray[np.int64], group: NDArray[np.int64], cuts: list[Cut]) -> NDArray[np.uint8]:
    """Give flags to the first rows of every block, or to the others.

    Args:
        rank: `(n,)` rank of every row in its block.
        group: `(n,)` number of its block.
        cuts: What is given, later ones over earlier ones.

    Returns:
        `(n,)` flags, 0 where no cut gives one.
    """
    state = np.zeros(len(rank), dtype=np.uint8)
    for cut in cuts:
        state[(rank < cut.counts[group]) != cut.others] = cut.flag
    return state


def number_labels(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the different labels, in their order, and count them.

    Args:
        labels: `(n,)` classes or `(n, n_label)` multi-hot labels.

    Returns:
        `(n,)` number of every row's label, and the `(n_group,)` counts.
    """
    _, group, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    return group.reshape(len(labels)), counts
