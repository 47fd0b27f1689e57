"""Codes and labels that come from anywhere: arrays in files, given as PATH or PATH:KEY."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cmh_data
import h5py

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class CodesWithLabels:
    """The codes of one side of a search and the labels of the same rows.

    Args:
        codes: `(n, bits)` signs, zeros and ones, or real values.
        labels: `(n, n_label)` zeros and ones.
    """

    codes: NDArray[Any]
    labels: NDArray[Any]


def split_location(location: str) -> tuple[str, str | None]:
    """Path and key of `PATH:KEY`; a colon that belongs to the path of an existing file stays in it."""
    path, colon, key = location.rpartition(":")
    return (path, key) if colon and key and not Path(location).exists() else (location, None)


def read_side(side: str, codes_location: str, labels_location: str) -> CodesWithLabels:
    """Read the codes and labels of the queries or of the database.

    MATLAB 7.3 stores axes in reverse, so a matrix of an HDF5 file is turned where only that makes rows agree.

    Args:
        side: "query" or "database", for messages.
        codes_location: `PATH` or `PATH:KEY`.
        labels_location: likewise.

    Raises:
        UserError: the rows of codes and labels do not agree either way.
        DataError: a file cannot be read.
    """
    codes, labels = (cmh_data.read_array(*split_location(text)) for text in (codes_location, labels_location))
    for name, array in (("codes", codes), ("labels", labels)):
        if array.ndim != 2:
            raise UserError(f"The {side} {name} must be a matrix, a row for each item, not {array.shape}.")
    fitting = [
        (one, other)
        for one in _orientations(codes, codes_location)
        for other in _orientations(labels, labels_location)
        if len(one) == len(other)
    ]
    if not fitting:
        raise UserError(
            f"The {side} codes {codes.shape} and labels {labels.shape} have no number of rows in common; "
            "give files of the same items."
        )
    return CodesWithLabels(*fitting[0])


def _orientations(array: NDArray[Any], location: str) -> list[NDArray[Any]]:
    return [array, array.T] if h5py.is_hdf5(split_location(location)[0]) else [array]
