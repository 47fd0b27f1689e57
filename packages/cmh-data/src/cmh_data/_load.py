"""`load`: one call for every layout, decided by the file's content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cmh_data._from_raw import from_raw
from cmh_data._layouts import ReadOptions
from cmh_data._read import read_raw
from cmh_data._sample import sample

if TYPE_CHECKING:
    import os

    from cmh_data._assemble import Unlabelled
    from cmh_data._dataset import PairedDataset


def load(
    path_or_name: str | os.PathLike[str],
    *,
    unlabelled: Unlabelled = "refuse",
    n_rows: int | None = None,
    pixel_axes: str = "auto",
) -> PairedDataset:
    """Load a data set by its path, or the built-in one by the name "emoji".

    The layout is found from the content, never from the name. Features load into memory; pixels stay in their
    file and are read by row, with height before width.

    Args:
        path_or_name: a file, or a folder with the few files of one data set, or "emoji".
        unlabelled: what to do with a row that has no label: "refuse" or "keep".
        n_rows: the number of rows, where square arrays leave it open.
        pixel_axes: the stored order of pixels, "height-width" or "width-height"; "auto": the latter under the
            field's MATLAB keys.

    Returns:
        The checked data set.

    Raises:
        DataError: nothing there, damaged, or no usable data set; the message says why.

    Example:
        >>> load("emoji").name
        'emoji'
    """
    if path_or_name == "emoji":
        return sample()
    path = Path(path_or_name)
    raw = read_raw(path, ReadOptions(n_rows=n_rows, pixel_axes=pixel_axes))
    return from_raw(raw, unlabelled=unlabelled)
