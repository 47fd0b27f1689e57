"""In which order rows lose their partner as the percentage rises.

Every row has a place in [0, 1): its rank i inside its block (or label set) of s rows, spread over that block
as (i + u) / s. Rows are taken in the order of their places, so a plan of 20 % lies inside one of 40 % by
construction, and every block gives its share. The offset u is 1/2 for a partial block, which makes its share
the nearest integer; for full blocks it follows the golden ratio, so that half a row per block becomes one row
in every other block and not one in each block of the first half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN = 0.6180339887498949


def _offsets(n_block: int) -> NDArray[np.float64]:
    """Evenly spread numbers in (0, 1), one for each block."""
    return np.clip((np.arange(1, n_block + 1) * GOLDEN) % 1.0, 1e-9, 1 - 1e-9)


def places_in_blocks(
    keys: NDArray[np.generic] | None, *, n: int, block: int, reverse: bool = False
) -> NDArray[np.float64]:
    """The place of every row when consecutive rows form blocks.

    Args:
        keys: (n,) sort keys, small first, or None for the rows' own order.
        n: Number of rows.
        block: Rows per block.
        reverse: With `keys=None`: last row of a block first.

    Returns:
        (n,) places.
    """
    if keys is not None and block >= n:
        ranks = np.empty(n, dtype=np.float64)
        ranks[np.argsort(keys, kind="stable")] = np.arange(n)
        return (ranks + 0.5) / n
    places = np.empty(n, dtype=np.float64)
    n_full = n // block
    full = places[: n_full * block].reshape(n_full, block)
    for rows, offsets, first in (
        (full, _offsets(n_full)[:, None], 0),
        (places[None, n_full * block :], 0.5, n_full),
    ):
        size = rows.shape[1]
        if not rows.size:
            continue
        if keys is None:
            own = np.arange(size, dtype=np.float64)
            ranks = np.broadcast_to(own[::-1] if reverse else own, rows.shape)
        else:
            part = keys[first * block : first * block + rows.size].reshape(rows.shape)
            ranks = np.empty(rows.shape, dtype=np.float64)
            np.put_along_axis(
                ranks, np.argsort(part, axis=1, kind="stable"), np.arange(size)[None, :], axis=1
            )
        np.divide(ranks + offsets, size, out=rows)
    return places


def places_in_strata(
    keys: NDArray[np.generic] | None, labels: NDArray[np.generic], *, reverse: bool = False
) -> NDArray[np.float64]:
    """The place of every row when rows with equal labels form a block.

    Args:
        keys: (n,) sort keys, small first, or None for the rows' own order.
        labels: (n,) classes or (n, n_label) multi-hot labels.
        reverse: With `keys=None`: last row of a label set first.

    Returns:
        (n,) places.
    """
    n = len(labels)
    _, group, size = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(n)
    if keys is None:
        keys = np.arange(n)[::-1] if reverse else np.arange(n)
    order = np.lexsort((keys, group))
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    ranks = np.empty(n, dtype=np.float64)
    ranks[order] = np.arange(n) - start[group[order]]
    return np.asarray((ranks + _offsets(len(size))[group]) / size[group], dtype=np.float64)


def smallest(places: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Mark the `count` smallest places; among equal ones the earlier rows.

    Args:
        places: (n,) places.
        count: How many to mark, 0..n.

    Returns:
        (n,) mask with exactly `count` ones.
    """
    if count == 0:
        return np.zeros(len(places), dtype=np.bool_)
    border = _kth_smallest(places, count - 1)
    chosen = np.asarray(places < border)
    missing = count - int(np.count_nonzero(chosen))
    chosen[np.flatnonzero(places == border)[:missing]] = True
    return chosen


def _kth_smallest(places: NDArray[np.float64], k: int) -> np.float64:
    """The k-th smallest place, from 0; places are nearly even, so those near the expected one suffice."""
    expected = k / len(places)
    below = int(np.count_nonzero(places < expected - 0.01))
    near = places[(places >= expected - 0.01) & (places <= expected + 0.01)]
    if below <= k < below + len(near):
        return np.float64(np.partition(near, k - below)[k - below])
    return np.float64(np.partition(places, k)[k])


def split_by_place(
    places: NDArray[np.float64], head: list[tuple[int, int]], tail: tuple[int, int]
) -> NDArray[np.uint8]:
    """Give flags along the order of the places.

    Args:
        places: (n,) places.
        head: Pairs (flag, rows up to and including this flag) from the start of the order, rising.
        tail: (flag, rows) from the end of the order.

    Returns:
        (n,) flags, 0 for the rows in the middle.
    """
    state = np.zeros(len(places), dtype=np.uint8)
    tail_flag, tail_count = tail
    if tail_count:
        state[~smallest(places, len(places) - tail_count)] = tail_flag
    before = [0, *(until for _, until in head)]
    for (flag, until), start in reversed(list(zip(head, before[:-1], strict=True))):
        if until > start:
            state[smallest(places, until)] = flag
    return state


def split_by_position(
    n: int, *, block: int, reverse: bool, head: list[tuple[int, int, int]], tail: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Give flags by position in the block, without sorting: the quick way where every full block is alike.

    Args:
        n: Number of rows.
        block: Rows per block.
        reverse: Count positions from the end of the block.
        head: Triples (flag, rows of a full block, rows of the partial block) up to and including this flag.
        tail: The same from the end of the order.

    Returns:
        (n,) flags.
    """
    state = np.zeros(n, dtype=np.uint8)
    n_full = n // block
    full = state[: n_full * block].reshape(n_full, block)
    partial = state[n_full * block :]
    if reverse:
        full, partial = full[:, ::-1], partial[::-1]
    tail_flag, tail_full, tail_partial = tail
    full[:, block - tail_full :] = tail_flag
    partial[len(partial) - tail_partial :] = tail_flag
    for flag, until_full, until_partial in reversed(head):
        full[:, :until_full] = flag
        partial[:until_partial] = flag
    return state
