"""Codes and labels that come from anywhere: arrays in files, given as PATH or PATH:KEY."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cmh_data
import h5py
from cmh_metrics import PackedCodes

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class CodesWithLabels:
    """The codes of one side of a search and the labels of the same rows.

    Args:
        codes: `(n, bits)` signs, zeros and ones, or real values; or packed codes.
        labels: `(n, n_label)` zeros and ones.
    """

    codes: NDArray[Any] | PackedCodes
    labels: NDArray[Any]


def split_location(location: str) -> tuple[str, str | None]:
    """Path and key of `PATH:KEY`; a colon that belongs to the path of an existing file stays in it."""
    path, colon, key = location.rpartition(":")
    return (path, key) if colon and key and not Path(location).exists() else (location, None)


def read_side(side: str, codes_location: str, labels_location: str) -> CodesWithLabels:
    """Read the codes and labels of the queries or of the database.

    MATLAB 7.3 stores axes in reverse and marks its arrays, so these are turned. Other programs may write HDF5
    either way; such an array is turned where only that makes rows agree.

    Args:
        side: "query" or "database", for messages.
        codes_location: `PATH` or `PATH:KEY`; or a file that `PackedCodes.save` wrote.
        labels_location: `PATH` or `PATH:KEY`.

    Raises:
        UserError: the rows of codes and labels do not agree, or agree in more than one way.
        DataError: a file cannot be read.
    """
    all_codes, all_labels = _codes(codes_location), _orientations(labels_location)
    for name, arrays in (("codes", all_codes), ("labels", all_labels)):
        if len(arrays[0].shape) != 2:
            raise UserError(
                f"The {side} {name} must be a matrix, a row for each item, not {arrays[0].shape}."
            )
    fitting = [(one, other) for one in all_codes for other in all_labels if len(one) == len(other)]
    shapes = f"The {side} codes {all_codes[0].shape} and labels {all_labels[0].shape}"
    if not fitting:
        raise UserError(f"{shapes} have no number of rows in common; give files of the same items.")
    if len(fitting) > 1:
        raise UserError(
            f"{shapes} fit together in more than one way, and HDF5 does not say which axis counts items; "
            "save them as npy or npz, a row for each item."
        )
    return CodesWithLabels(*fitting[0])


def _codes(location: str) -> list[Any]:
    path, key = split_location(location)
    if key is None and _is_packed(path):
        words, bits = (cmh_data.read_array(path, name) for name in ("words", "bits"))
        return [PackedCodes(words, bits=int(bits))]
    return _orientations(location)


def _is_packed(path: str) -> bool:
    """Whether a file is what `PackedCodes.save` writes."""
    try:
        with zipfile.ZipFile(path) as file:
            return set(file.namelist()) == {"words.npy", "bits.npy"}
    except (OSError, zipfile.BadZipFile):  # whoever reads it says what is wrong
        return False


def _orientations(location: str) -> list[NDArray[Any]]:
    """The ways in which rows may lie in an array: one, except in HDF5 files that are not MATLAB's."""
    path, key = split_location(location)
    array = cmh_data.read_array(path, key)
    if not h5py.is_hdf5(path):
        return [array]
    with h5py.File(path) as file:
        marks = (file[key] if key else file.visititems(_if_array)).attrs
        if "MATLAB_sparse" in marks:  # read as MATLAB shows it
            return [array]
        if "MATLAB_class" in marks:
            return [array.T]
    return [array, array.T]


def _if_array(name: str, item: Any) -> Any:
    """Return the item if it is an array of the file, for a visit that ends there."""
    if name.startswith("#refs#"):
        return None
    return item if isinstance(item, h5py.Dataset) or "MATLAB_sparse" in item.attrs else None
