"""Filling in sparse tables as MATLAB stores them: by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_files.errors import DataError, check_declared_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dense_from_columns(
    name: str,
    *,
    values: NDArray[Any],
    rows: NDArray[Any],
    starts: NDArray[Any],
    shape: tuple[int, ...],
) -> NDArray[Any]:
    """Fill in a table from its non-zero values.

    Args:
        name: file and table, for messages.
        values: `(n_value,)` or more, any numeric dtype, by column.
        rows: `(n_value,)` or more integers, the row of each value.
        starts: `(columns + 1,)` integers, where each column begins in `values`.
        shape: rows and columns.

    Returns:
        `(rows, columns)` of the values' dtype.

    Raises:
        DataError: the parts do not fit each other, or the table would be out of proportion to them.

    Example:
        >>> ones, rows, starts = np.ones(2), np.array([1, 0]), np.array([0, 0, 1, 2])
        >>> dense_from_columns("words", values=ones, rows=rows, starts=starts, shape=(2, 3)).tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    height, width = shape
    declared = height * width * values.dtype.itemsize
    check_declared_size(name, "a sparse table", declared, values.nbytes + rows.nbytes + starts.nbytes)
    ends = starts.astype(np.int64)
    counts: NDArray[np.int64] = ends[1:] - ends[:-1]
    filled = int(counts.sum()) if len(counts) else 0
    fits = len(starts) == width + 1 and (counts >= 0).all() and int(starts[0]) == 0
    fits = fits and filled <= min(len(rows), len(values))
    if not fits or (filled and not 0 <= int(rows[:filled].min()) <= int(rows[:filled].max()) < height):
        raise DataError(f"{name}: the parts of the sparse table do not fit its shape {height} x {width}.")
    dense = np.zeros((height, width), values.dtype.newbyteorder("="))
    dense[rows[:filled].astype(np.int64), np.repeat(np.arange(width), counts)] = values[:filled]
    return dense


def kept_entries(
    name: str, *, starts: NDArray[Any], inside: NDArray[Any], present: NDArray[np.bool_], by_start: bool
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Say which entries of a sparse table stay when items are removed.

    Args:
        name: file and table, for messages.
        starts: `(m + 1,)`, where each column (or, in tables by row, each row) begins among the entries.
        inside: `(n_entry,)` or more, the row (or column) of each entry.
        present: `(n,)` bool, the items that stay.
        by_start: whether the items are what `starts` counts, or what `inside` names.

    Returns:
        `(n_entry,)` bool, which entries stay, and `(m + 1,)` int64, where each column then begins.

    Raises:
        DataError: the parts do not fit each other.
    """
    ends = starts.astype(np.int64)
    counts = np.diff(ends)
    filled = int(ends[-1]) if len(ends) else -1
    fits = filled >= 0 and ends[0] == 0 and bool((counts >= 0).all()) and filled <= len(inside)
    limit = len(counts) if by_start else len(present)
    entries = inside[:filled].astype(np.int64) if fits else inside[:0]
    if by_start:
        fits = fits and limit == len(present)
    elif fits and filled:
        fits = int(entries.min()) >= 0 and int(entries.max()) < limit
    if not fits:
        raise DataError(f"{name}: the parts of the sparse table do not fit each other; make the file again.")
    groups = np.repeat(np.arange(len(counts)), counts)
    keep: NDArray[np.bool_] = present[groups if by_start else entries]
    left = np.bincount(groups[keep], minlength=len(counts))
    return keep, np.concatenate([[0], np.cumsum(left)])
