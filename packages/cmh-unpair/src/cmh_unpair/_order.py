"""In which order rows lose their partner as the percentage rises.

Every row has a place in [0, 1): its rank i inside its block (or label set) of s rows, spread over that block
as (i + u) / s. Rows are taken in the order of their places, so a plan of 20 % lies inside one of 40 % by
construction, and every block gives its share. The offset u is 1/2 for a partial block, which makes its share
the nearest integer; for full blocks it follows the golden ratio, so that half a row per block becomes one row
in every other block and not one in each block of the first half.

So it is enough to know how many rows every block gives, and then to find the first rows of every block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GOLDEN = 0.6180339887498949
CACHED = 2**16  # values of a piece that stays in the processor's cache
SAMPLE = 2**19


@dataclass(frozen=True)
class Cut:
    """The first rows of every block up to some share get a flag, or all but the first ones.

    Attributes:
        flag: The flag.
        counts: (n_block,) number of first rows of each block.
        others: Whether all but the first rows get the flag.
    """

    flag: int
    counts: NDArray[np.int64]
    others: bool = False


def spread(n_block: int) -> NDArray[np.float64]:
    """Evenly spread numbers in (0, 1), one for each block."""
    return np.clip((np.arange(1, n_block + 1) * GOLDEN) % 1.0, 1e-9, 1 - 1e-9)


def share_out(sizes: NDArray[np.int64], offsets: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """How many of the rows with the smallest places lie in each block.

    Args:
        sizes: (n_block,) rows of every block.
        offsets: (n_block,) in (0, 1), where the places of a block start.
        total: Rows of all blocks together.

    Returns:
        (n_block,) counts with the sum `total`.
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


def split_blocks(
    keys: NDArray[Any] | None, cuts: list[Cut], *, n: int, block: int, reverse: bool = False
) -> NDArray[np.uint8]:
    """Give flags where consecutive rows form blocks.

    Args:
        keys: (n,) sort keys, small first, equal ones in the order of rows; None for the rows' own order.
        cuts: What is given, later ones over earlier ones.
        n: Number of rows.
        block: Rows of a full block.
        reverse: With `keys=None`: last row of a block first.

    Returns:
        (n,) flags, 0 where no cut gives one.
    """
    state = np.zeros(n, dtype=np.uint8)
    for first, size, blocks in _pieces(n, block):
        rows = slice(first, first + (blocks.stop - blocks.start) * size)
        part = state[rows].reshape(-1, size)
        if keys is None:
            part = part[:, ::-1] if reverse else part
            for cut in cuts:
                _flag_positions(part, cut, cut.counts[blocks])
        else:
            own = keys[rows].reshape(-1, size)
            ordered = np.sort(own, axis=1)
            for cut in cuts:
                chosen = _first_of_rows(own, ordered, cut.counts[blocks])
                _give(part, chosen, cut)
    return state


def split_groups(
    keys: NDArray[Any] | None,
    group: NDArray[Any] | None,
    cuts: list[Cut],
    *,
    n: int,
    reverse: bool = False,
) -> NDArray[np.uint8]:
    """Give flags where rows with equal labels form a block, or all rows do.

    Args:
        keys: As for `split_blocks`.
        group: (n,) number of the block of every row; None where all rows form one.
        cuts: As for `split_blocks`.
        n: Number of rows.
        reverse: As for `split_blocks`.

    Returns:
        (n,) flags.
    """
    if keys is None:
        keys = np.arange(n)[::-1] if reverse else np.arange(n)
    state = np.zeros(n, dtype=np.uint8)
    step = max(1, n // SAMPLE)
    sample = _Sample(keys[::step], None if group is None else group[::step], n_group=len(cuts[0].counts))
    sizes = np.array([n]) if group is None else np.bincount(group, minlength=len(cuts[0].counts))
    for cut in cuts:
        if cut.counts.any() or cut.others:
            chosen = _first_of_groups(keys, group, cut.counts, sizes, sample)
            for start in range(0, n, CACHED):
                _give(state[start : start + CACHED], chosen[start : start + CACHED], cut)
    return state


def number_labels(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Number the different labels, in their order, and count them.

    Args:
        labels: (n,) classes or (n, n_label) multi-hot labels.

    Returns:
        (n,) number of every row's label, and the (n_group,) counts.
    """
    if labels.ndim == 2 and labels.shape[1] <= 24 and labels.dtype.kind in "bu" and labels.max() <= 1:
        packed = np.packbits(labels.astype(np.bool_, copy=False), axis=1).astype(np.uint32)
        labels = packed[:, 0]
        for column in packed.T[1:]:
            labels = labels << 8 | column
    if labels.ndim == 1 and labels.dtype.kind in "bu" and labels.max() < 2**24:
        labels = labels.view(np.uint8) if labels.dtype.kind == "b" else labels
        counts = np.bincount(labels)
        there = counts > 0
        number = np.cumsum(there) - 1
        kind = np.uint8 if number[-1] < 2**8 else np.uint32
        return number.astype(kind)[labels], counts[there]
    _, group, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    return group.reshape(len(labels)), counts


class _Sample:
    """A part of the keys, by which the key of a rank in a group is narrowed down."""

    def __init__(self, keys: NDArray[Any], group: NDArray[Any] | None, *, n_group: int) -> None:
        order = np.argsort(keys) if group is None else np.lexsort((keys, group))
        self._keys = keys[order]
        self._sizes = np.array([len(keys)]) if group is None else np.bincount(group, minlength=n_group)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def bracket(self, shares: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n_group,) keys that lie almost surely below and above those of the given shares of the groups."""
        margin = 2 * np.sqrt(self._sizes) + 2  # four deviations of a share of a half
        low = np.floor(shares * self._sizes - margin).astype(np.int64)
        high = np.ceil(shares * self._sizes + margin).astype(np.int64)
        least, most = _limits(self._keys.dtype)
        last = len(self._keys) - 1
        lowest = np.where(low < 0, least, self._keys[np.clip(self._starts + low, 0, last)])
        highest = np.where(high >= self._sizes, most, self._keys[np.clip(self._starts + high, 0, last)])
        return lowest, highest


def _limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    limits = np.iinfo(dtype)
    return dtype.type(limits.min), dtype.type(limits.max)


def _pieces(n: int, block: int) -> Iterator[tuple[int, int, slice]]:
    """First row, rows per block and numbers of the blocks of every piece of the rows."""
    n_full = n // block
    at_once = max(1, CACHED // block)
    for first in range(0, n_full, at_once):
        yield first * block, block, slice(first, min(first + at_once, n_full))
    if n % block:
        yield n_full * block, n % block, slice(n_full, n_full + 1)


def _flag_positions(part: NDArray[np.uint8], cut: Cut, counts: NDArray[np.int64]) -> None:
    """Give a flag to the first positions of every block of a piece (n_block, size), or to the others."""
    if np.all(counts == counts[0]):
        part[:, counts[0] :] = cut.flag if cut.others else part[:, counts[0] :]
        part[:, : counts[0]] = part[:, : counts[0]] if cut.others else cut.flag
        return
    _give(part, np.arange(part.shape[1]) < counts[:, None], cut)


def _give(part: NDArray[np.uint8], chosen: NDArray[np.bool_], cut: Cut) -> None:
    """Give a flag to the chosen rows, or to the others; seven times as fast as a masked copy of numpy."""
    ones = chosen.view(np.uint8)
    kept = np.negative(ones) if cut.others else ones - np.uint8(1)  # 255 where the old flag stays, else 0
    np.bitwise_or(part & kept, ~kept & np.uint8(cut.flag), out=part)


def _first_of_rows(keys: NDArray[Any], ordered: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the smallest keys of every row of a matrix, of equal ones the first."""
    border = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[:, None], axis=1)
    chosen = (keys <= border) & (counts > 0)[:, None]
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) != counts):
        chosen[row] = False
        chosen[row, np.argsort(keys[row], kind="stable")[: counts[row]]] = True
    return np.asarray(chosen)


def _first_of_groups(
    keys: NDArray[Any],
    group: NDArray[Any] | None,
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    sample: _Sample,
) -> NDArray[np.bool_]:
    """Mark the smallest keys of every group, of equal ones the first.

    A sample tells between which keys the last one lies; only the keys between these are sorted.
    """
    low, high = sample.bracket(counts / np.maximum(sizes, 1))
    chosen = np.empty(len(keys), dtype=np.bool_)
    while True:
        near = []
        for start in range(0, len(keys), CACHED):
            rows = slice(start, start + CACHED)
            part, of = keys[rows], 0 if group is None else group[rows]
            np.less(part, low[of], out=chosen[rows])
            near.append(start + np.flatnonzero((part <= high[of]) ^ chosen[rows]))
        rows_near = np.concatenate(near)
        if group is None:
            of_near = np.zeros(len(rows_near), dtype=np.intp)
            below = np.array([np.count_nonzero(chosen)])
            order = np.argsort(keys[rows_near], kind="stable")
        else:
            of_near = group[rows_near]
            below = np.bincount(group[chosen], minlength=len(counts))
            order = np.lexsort((keys[rows_near], of_near))
        n_near = np.bincount(of_near, minlength=len(counts))
        missing = counts - below
        missed = (missing < 0) | (missing > n_near)
        if not missed.any():
            break
        least, most = _limits(low.dtype)
        low, high = np.where(missed, least, low), np.where(missed, most, high)
    ranks = np.arange(len(order)) - (np.cumsum(n_near) - n_near)[of_near[order]]
    chosen[rows_near[order[ranks < missing[of_near[order]]]]] = True
    return chosen
