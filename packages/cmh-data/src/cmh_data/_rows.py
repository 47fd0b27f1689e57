"""Rows that stay in their HDF5 file until they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Hdf5Rows:
    """A 4-d array on disk with the axes `(row, colour, height, width)`, whatever order the file has.

    The file is opened on the first read and stays open, so that a batch costs no more than its own bytes.
    Copies in other processes open it for themselves.

    Args:
        path: the HDF5 file, checked before.
        key: the array in it.
        axes: which stored axis is the row, the colour, the height and the width.
    """

    def __init__(self, path: Path, key: str, *, axes: tuple[int, int, int, int] = (0, 1, 2, 3)) -> None:
        self._path, self._key, self._axes = path, key, axes
        self._file: h5py.File | None = None
        with h5py.File(path, "r") as file:
            stored = file[key]
            self.shape: tuple[int, ...] = tuple(int(stored.shape[axis]) for axis in axes)
            self.dtype: np.dtype[Any] = stored.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        if isinstance(rows, (int, np.integer)):
            only: NDArray[Any] = self[np.array([rows])][0]
            return only
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._read(slice(start, max(start, stop)))
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        rows = np.where(rows < 0, rows + len(self), rows).astype(np.int64)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        # One selection of scattered rows costs HDF5 far more than reading them run by run.
        order = np.argsort(rows, kind="stable")
        for run in np.split(order, np.flatnonzero(np.diff(rows[order]) != 1) + 1):
            if len(run):
                out[run] = self._read(slice(int(rows[run[0]]), int(rows[run[-1]]) + 1))
        return out

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, rows: slice) -> NDArray[Any]:
        try:
            if self._file is None:
                self._file = h5py.File(self._path, "r")
            stored = self._file[self._key]
            selection = [slice(None)] * 4
            selection[self._axes[0]] = rows
            return np.ascontiguousarray(stored[tuple(selection)].transpose(self._axes))
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self._path}: rows of {self._key} cannot be read ({reason}).") from error
