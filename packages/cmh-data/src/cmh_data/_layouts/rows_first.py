"""Arrays read with the rows first and pixels with the height before the width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import Hdf5Rows

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_files import Variable
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray


# Keys under which MATLAB-made files keep pixels, which Python then sees as (row, colour, width, height).
WIDTH_BEFORE_HEIGHT = frozenset({"IAll", "images", "FAll", "imgs", "I"})


def read_rows_first(variable: Variable, n: int | None, notes: list[str]) -> NDArray[Any]:
    """Read a table and turn it so that the `n` rows come first; vectors, and any table for None, stay."""
    array = variable.read()
    if n is None or array.ndim == 1 or (array.ndim == 2 and array.shape == (1, n) and n != 1):
        return array
    if array.ndim != 2:
        raise DataError(f"{variable} in {variable.file.name} must be a table with {n} rows.")
    if array.shape[0] != n and array.shape[1] == n:
        notes.append(f"{variable.key}: stored as {array.shape}, transposed so that the {n} rows come first.")
        return np.ascontiguousarray(array.T)
    if array.shape == (n, n):
        notes.append(
            f"{variable.key}: as wide as it has rows, so its axes cannot be told apart; taken as stored."
        )
    return array


def read_image(variable: Variable, n: int, notes: list[str], *, pixel_axes: str = "auto") -> RowArray:
    """Read features, or open pixels row by row with the axes put right.

    Args:
        variable: the image variable.
        n: the number of rows.
        notes: what was turned is added here.
        pixel_axes: "height-width" or "width-height" as stored, or "auto": the
            latter under the field's MATLAB keys.
    """
    if len(variable.shape) != 4:
        return read_rows_first(variable, n, notes)
    if variable.shape[0] != n:  # (height, width, 3, n): MATLAB's own order
        axes, order = (3, 2, 0, 1), "(height, width, colour, row)"
    else:
        swapped = (
            variable.key in WIDTH_BEFORE_HEIGHT if pixel_axes == "auto" else pixel_axes == "width-height"
        )
        swapped &= variable.kind == "hdf5" or pixel_axes != "auto"
        axes = (0, 1, 3, 2) if swapped else (0, 1, 2, 3)
        order = "(row, colour, width, height)" if swapped else "(row, colour, height, width)"
    stored_colours = variable.shape[axes[1]]
    if stored_colours != 3:
        raise DataError(
            f"{variable} in {variable.file.name} must hold pixels of 3 colours, not {stored_colours}."
        )
    notes.append(f"{variable.key}: pixels stored as {order}, given as (row, colour, height, width).")
    if variable.rows is not None:
        return Hdf5Rows(variable.file, variable.key, axes=axes)
    return np.ascontiguousarray(variable.read().transpose(axes))


def describe(found: Sequence[Variable]) -> str:
    """Keys and shapes for a message."""
    shown = ", ".join(str(variable) for variable in found[:12]) or "no arrays"
    return shown if len(found) <= 12 else f"{shown}, ... ({len(found)} in all)"
