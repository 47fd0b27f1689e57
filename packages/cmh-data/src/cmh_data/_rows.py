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

    Rows that lie in the file without gaps, as this package writes pixels, are mapped into memory, so that a
    batch costs no more than its own bytes. Otherwise the file is opened on the first read and stays open.
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
            offset = stored.id.get_offset() if stored.chunks is None and axes[0] == 0 else None
            self._map = None if offset is None else self._map_rows(stored.shape, offset)

    def _map_rows(self, shape: tuple[int, ...], offset: int) -> NDArray[Any]:
        try:
            return np.memmap(self._path, self.dtype, "r", offset, shape)
        except (OSError, ValueError) as error:
            raise DataError(f"{self._path} is truncated: {self._key} reaches beyond its end.") from error

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        try:
            if self._map is not None:
                return self._turn(self._map[rows], is_row=isinstance(rows, (int, np.integer)))
            return self._read_runs(np.arange(len(self))[rows])
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self._path}: rows of {self._key} cannot be read ({reason}).") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "key": self._key, "axes": self._axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Hdf5Rows.__init__(self, state["path"], state["key"], axes=state["axes"])

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _turn(self, stored: NDArray[Any], *, is_row: bool) -> NDArray[Any]:
        axes = tuple(axis - 1 for axis in self._axes[1:]) if is_row else self._axes
        return np.array(stored.transpose(axes), order="C")

    def _read_runs(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read run by run: one selection of scattered rows costs HDF5 far more."""
        if self._file is None:
            self._file = h5py.File(self._path, "r")
        stored = self._file[self._key]
        flat = np.atleast_1d(rows)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        order = np.argsort(flat, kind="stable")
        selection: list[slice] = [slice(None)] * 4
        for run in np.split(order, np.flatnonzero(np.diff(flat[order]) != 1) + 1):
            if len(run):
                selection[self._axes[0]] = slice(int(flat[run[0]]), int(flat[run[-1]]) + 1)
                out[run] = stored[tuple(selection)].transpose(self._axes)
        return out[0] if rows.ndim == 0 else out
