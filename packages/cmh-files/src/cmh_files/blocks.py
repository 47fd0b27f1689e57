"""A stored array as blocks of bounded size, and these blocks with some items removed.

Whatever the order of its axes, an array lies in its file as `(outer, items, inner)`: outer axes, the axis of
the items, and the axes inside an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import numpy as np

from cmh_files.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from cmh_files.row_edit import RowEdit

    Block = tuple[slice, slice, NDArray[Any]]

BLOCK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Placement:
    """How an array lies in its file.

    Args:
        outer: product of the axes outside that of the items.
        n: number of items.
        inner: product of the axes inside it.
        marker_inside: whether one more value of every item stands inside, or one more outer plane.
    """

    outer: int
    n: int
    inner: int
    marker_inside: bool

    @classmethod
    def of(cls, shape: tuple[int, ...], axis: int, order: Literal["C", "F"]) -> Placement:
        """Place an array.

        Args:
            shape: its shape.
            axis: the axis of the items.
            order: "C" where the last axis lies innermost, "F" where the first does.

        Returns:
            The placement.
        """
        before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
        outer, inner = (before, after) if order == "C" else (after, before)
        return cls(outer, shape[axis], inner, marker_inside=(axis == 0) == (order == "C"))


def blocks_of(read: Callable[[int], bytes], dtype: np.dtype[Any], placed: Placement) -> Iterator[Block]:
    """Read an array in blocks of bounded size.

    Args:
        read: gives the next bytes.
        dtype: type of the stored values.
        placed: how the array lies.

    Yields:
        Slice of the outer axis, slice of the items, block `(outer, items, inner)`.
    """
    item_bytes = max(1, placed.inner * dtype.itemsize)
    items_at_once = max(1, min(placed.n, BLOCK_BYTES // item_bytes))
    outer_at_once = max(1, BLOCK_BYTES // (item_bytes * placed.n)) if items_at_once == placed.n else 1
    for first in range(0, placed.outer, outer_at_once):
        outer = slice(first, min(placed.outer, first + outer_at_once))
        for item in range(0, placed.n, items_at_once):
            items = slice(item, min(placed.n, item + items_at_once))
            size = (outer.stop - outer.start, items.stop - items.start, placed.inner)
            yield outer, items, np.frombuffer(read(prod(size) * dtype.itemsize), dtype=dtype).reshape(size)


def mean_item(blocks: Iterable[Block], placed: Placement, edit: RowEdit, *, rounded: bool) -> NDArray[Any]:
    """Average the training items that are present.

    Args:
        blocks: the array.
        placed: how it lies.
        edit: which items are averaged.
        rounded: whether the mean is rounded, for arrays of integers.

    Returns:
        `(outer, inner)` float64.

    Raises:
        DataError: no item is left.
    """
    averaged = edit.averaged
    if not averaged.any():
        raise no_mean(edit.key)
    total = np.zeros((placed.outer, placed.inner))
    with np.errstate(all="ignore"):  # what is not finite is refused below
        for outer, items, block in blocks:
            total[outer] += block[:, averaged[items]].sum(axis=1, dtype=np.float64)
        mean = total / np.count_nonzero(averaged)
    require_finite(edit.key, mean)
    return np.rint(mean) if rounded else mean


def require_finite(key: str, values: NDArray[Any]) -> None:
    """Refuse a mean, or values to be cast to integers, that are not finite.

    Args:
        key: the array, for the message.
        values: any floats.

    Raises:
        DataError: some value is infinite or no number.
    """
    if not np.isfinite(values).all():
        raise DataError(f"{key} must hold finite numbers for a mean or a cast to integers, but some are not.")


def no_mean(key: str) -> DataError:
    """Make the error of an array without any item to average.

    Args:
        key: the array.

    Returns:
        The error, to be raised.
    """
    return DataError(
        f"fill must be 'zero' because {key} keeps no item to take the mean of, but it is 'mean'."
    )


class Sums:
    """CRC-32 of the removed and of the other items of an array."""

    def __init__(self) -> None:
        self.removed = self.others = 0

    def add(self, block: NDArray[Any], here: NDArray[np.bool_]) -> None:
        """Add a block.

        Args:
            block: `(outer, items, inner)`.
            here: `(items,)` bool, which are removed.
        """
        self.removed = crc32(block[:, here].tobytes(), self.removed)
        self.others = crc32(block[:, ~here].tobytes(), self.others)

    @property
    def pair(self) -> tuple[int, int]:
        """Both sums."""
        return self.removed, self.others


def edited_blocks(
    blocks: Iterable[Block],
    placed: Placement,
    edit: RowEdit,
    *,
    dtype: np.dtype[Any],
    value: NDArray[Any] | None,
    sums: Sums,
) -> Iterator[bytes]:
    """Empty items of an array block by block.

    Args:
        blocks: the array.
        placed: how it lies.
        edit: which items are removed, and whether a marker is added.
        dtype: type of the values as written.
        value: `(outer, inner)`, what an removed item holds; None: zeros.
        sums: what is written is added here.

    Yields:
        The bytes of the array as it should become.

    Raises:
        DataError: values that are to become integers are not finite.
    """
    removed = ~edit.present
    for outer, items, block in blocks:
        here = removed[items]
        if dtype.kind == "i" and block.dtype.kind == "f":
            require_finite(edit.key, block)
        with np.errstate(all="ignore"):  # a mean may be too great for its array's type
            new = block.astype(dtype)
            new[:, here] = 0 if value is None else value[outer, None]
        if edit.marker and placed.marker_inside:
            column = np.broadcast_to(here[None, :, None], (*new.shape[:2], 1))
            new = np.concatenate([new, column.astype(dtype)], axis=2)
        sums.add(new, here)
        yield new.tobytes()
    if edit.marker and not placed.marker_inside:
        new = removed[None, :, None].astype(dtype)
        sums.add(new, removed)
        yield new.tobytes()
