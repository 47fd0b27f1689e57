"""Texts of MATLAB 7.3: characters are 16-bit code units, and lists of texts are object references to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_files.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CELLS = "/#refs#/"  # where MATLAB keeps what its cell arrays point to
DEEPEST = 3  # some lists hold cells that hold a one-element cell


def is_characters(item: h5py.Dataset) -> bool:
    """Whether an array is MATLAB text."""
    return _class_of(item) == "char" and item.dtype == np.uint16


def characters(item: h5py.Dataset) -> list[str]:
    """The rows of a MATLAB character matrix, which lie in columns here."""
    if item.attrs.get("MATLAB_empty"):
        return [""]
    table = np.atleast_2d(item[()]) if len(item.shape) < 2 else item[()].T
    return [
        row.astype("<u2").tobytes().decode("utf-16-le", "replace") for row in table.reshape(len(table), -1)
    ]


def read_cells(path: Path, file: h5py.File, item: h5py.Dataset) -> NDArray[np.str_]:
    """The texts of a MATLAB cell array, in the shape that it is stored in.

    References are followed only from a cell array to texts in the file's own store of cells.

    Raises:
        DataError: references of another kind.
    """
    if _class_of(item) != "cell":
        raise DataError(
            f"{path} stores {item.name.lstrip('/')} as object references, which are followed only from "
            "MATLAB cell arrays; store plain arrays."
        )
    texts = [_text(path, file, reference, item.name, DEEPEST) for reference in item[()].ravel()]
    return np.array(texts, dtype=np.str_).reshape(item.shape)


def _text(path: Path, file: h5py.File, reference: Any, name: str, depth: int) -> str:
    target = file[reference] if reference else None
    if not isinstance(target, h5py.Dataset) or not str(target.name).startswith(CELLS) or not depth:
        raise DataError(f"{path}: the cells of {name.lstrip('/')} must point to texts in {CELLS}.")
    if h5py.check_ref_dtype(target.dtype) is not None and target.size == 1:
        return _text(path, file, target[()].ravel()[0], name, depth - 1)
    if target.dtype != np.uint16 and not target.attrs.get("MATLAB_empty"):
        raise DataError(f"{path}: {name.lstrip('/')} must hold texts, but a cell holds {target.dtype}.")
    return "".join(characters(target))


def _class_of(item: h5py.Dataset) -> str:
    stated = item.attrs.get("MATLAB_class", b"")
    return stated.decode("ascii", "replace") if isinstance(stated, bytes) else str(stated)
