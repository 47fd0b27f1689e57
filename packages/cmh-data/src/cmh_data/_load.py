"""`load`: one call for every layout, decided by the file's content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cmh_data._errors import DataError
from cmh_data._plain import load_plain_hdf5, load_plain_npz
from cmh_data._sample import sample

if TYPE_CHECKING:
    import os

    from cmh_data._assemble import Unlabelled
    from cmh_data._dataset import PairedDataset

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


def load(path_or_name: str | os.PathLike[str], *, unlabelled: Unlabelled = "refuse") -> PairedDataset:
    """Load a data set by its path, or the built-in one by the name "emoji".

    Args:
        path_or_name: an `.npz` or HDF5 file, whatever it is called, or "emoji".
        unlabelled: what to do with a row that has no label: "refuse" or "keep".

    Returns:
        The checked data set.

    Raises:
        DataError: the file does not exist, is damaged, or is no usable data set; the message says why.

    Example:
        >>> load("emoji").name
        'emoji'
    """
    if path_or_name == "emoji":
        return sample()
    path = Path(path_or_name)
    if not path.is_file():
        raise DataError(
            f'{path} is no file; give the path of a data file, or "emoji" for the built-in data set.'
        )
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(ZIP_SIGNATURES):
        return load_plain_npz(path, unlabelled=unlabelled)
    if HDF5_SIGNATURE in head:
        return load_plain_hdf5(path, unlabelled=unlabelled)
    raise DataError(f"{path} is neither an npz nor an HDF5 file; its first bytes are {head[:16]!r}.")
