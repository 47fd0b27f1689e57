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
        values: `(n_value,)` or more, by column.
        rows: the row of each value.
        starts: `(columns + 1,)`, where each column begins in `values`.
        shape: rows and columns.

    Raises:
        DataError: the parts do not fit each other, or the table would be out of proportion to them.
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
