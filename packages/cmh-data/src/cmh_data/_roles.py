"""Which variable is the image, which the text, which the labels, and which of their axes is the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._errors import DataError
from cmh_data._rows import Hdf5Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_data._dataset import RowArray
    from cmh_data._raw import Variable

# In order of preference: features load before pixels. `YAll` is text, but `Y` (RoPH) is labels.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "XAll", "images", "IAll", "FAll", "imgs", "I", "X1"),
    "text": ("text", "YAll", "tags", "tag", "T", "caption_one_hot", "BoW", "COCO_BoW", "X2"),
    "labels": ("labels", "LAll", "label", "L", "category", "Y"),
}
# Keys under which MATLAB-made files keep pixels, which Python then sees as (row, colour, width, height).
WIDTH_BEFORE_HEIGHT = frozenset({"IAll", "images", "FAll", "imgs", "I"})


def find_role(found: Mapping[str, Variable], role: str) -> Variable | None:
    """The variable of a role, by the first alias that is there."""
    for alias in ALIASES[role]:
        if alias in found:
            return found[alias]
    return None


def common_rows(roles: Mapping[str, Variable], n_rows: int | None = None) -> int:
    """The one length that all roles share; that is the number of rows, whichever axis it stands on.

    Raises:
        DataError: no length is shared, or several are and `n_rows` does not choose.
    """
    candidates = [set(_row_candidates(variable)) for variable in roles.values()]
    shared = set.intersection(*candidates)
    shapes = ", ".join(str(variable) for variable in roles.values())
    if n_rows is not None:
        if n_rows not in shared:
            raise DataError(f"n_rows={n_rows} is no length that all arrays share: {shapes}.")
        return n_rows
    if not shared:
        raise DataError(f"image, text and labels share no number of rows: {shapes}.")
    if len(shared) == 1:
        return shared.pop()
    if len(roles) == 1:
        variable = next(iter(roles.values()))
        return max(variable.shape) if variable.kind == "hdf5" else variable.shape[0]
    # A data set has more rows than label columns; several lengths may remain only when arrays are square.
    if "labels" in roles:
        longest = max(roles["labels"].shape)
        if longest in shared and roles["labels"].shape.count(longest) == 1:
            return longest
    options = " or ".join(map(str, sorted(shared)))
    raise DataError(f"the number of rows may be {options} in {shapes}: say which with n_rows=.")


def _row_candidates(variable: Variable) -> tuple[int, ...]:
    if len(variable.shape) == 4:
        return (variable.shape[0], variable.shape[3])
    return variable.shape


def read_rows_first(variable: Variable, n: int, notes: list[str]) -> NDArray[Any]:
    """Read a table and turn it so that the `n` rows come first."""
    array = variable.read()
    if array.ndim != 2:
        raise DataError(f"{variable} in {variable.file.name} must be a table with {n} rows.")
    if array.shape[0] != n and array.shape[1] == n:
        notes.append(f"{variable.key}: stored as {array.shape}, turned so that the {n} rows come first.")
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
