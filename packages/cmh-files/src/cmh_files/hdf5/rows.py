"""Rows that stay in their HDF5 file until they are asked for."""

from __future__ import annotations

import os
import threading
import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_files.errors import DataError
from cmh_files.hdf5.chunks import row_starts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Hdf5Rows:
    """A 4-d array on disk with the axes `(row, colour, height, width)`, whatever order the file has.

    Where whole rows lie uncompressed in the file, as this package and many others write pixels, they are read
    from their place in it, without the HDF5 library, which works for one thread at a time. The file is opened
    on the first read and stays open. Several threads may read; copies in other processes open it for
    themselves.

    Args:
        path: the HDF5 file, checked before.
        key: the array in it.
        axes: which stored axis is the row, the colour, the height and the width.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "a.h5")
        >>> with h5py.File(path, "w") as file:
        ...     file["IAll"] = np.zeros((5, 3, 8, 6), np.uint8)
        >>> rows = Hdf5Rows(path, "IAll", axes=(0, 1, 3, 2))
        >>> rows.shape, rows[[4, 0]].shape
        ((5, 3, 6, 8), (2, 3, 6, 8))
        >>> rows.close()
    """

    def __init__(self, path: Path, key: str, *, axes: tuple[int, int, int, int] = (0, 1, 2, 3)) -> None:
        self._path, self._key, self._axes = path, key, axes
        self._lock = threading.Lock()
        self._file: h5py.File | None = None
        self._starts: NDArray[np.int64] | None = None  # where each row begins in the file
        self._descriptor = -1
        with h5py.File(path, "r") as file:
            stored = file[key]
            self._stored_shape = tuple(map(int, stored.shape))
            self.shape: tuple[int, ...] = tuple(self._stored_shape[axis] for axis in axes)
            self.dtype: np.dtype[Any] = stored.dtype
            start = stored.id.get_offset() if stored.chunks is None else None
        if start is not None and start + int(np.prod(self.shape)) * self.dtype.itemsize > path.stat().st_size:
            raise DataError(f"{path} is truncated: {key} reaches beyond its end.")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        wanted = (
            np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.arange(len(self))[rows]
        )
        flat = np.atleast_1d(wanted)
        try:
            self._open()
            out = self._read_runs(flat) if self._starts is None else self._read_direct(flat, self._starts)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{self._path}: rows of {self._key} cannot be read ({reason}).") from error
        return out[0] if wanted.ndim == 0 else out

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "key": self._key, "axes": self._axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Hdf5Rows.__init__(self, state["path"], state["key"], axes=state["axes"])

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._starts is not None:
            self._close_descriptor()
            self._starts = None

    def _open(self) -> None:
        with self._lock:
            if self._file is not None:
                return
            file = h5py.File(self._path, "r")
            if self._axes[0] == 0 and hasattr(os, "preadv"):  # not on Windows
                self._descriptor = os.open(self._path, os.O_RDONLY)
                self._close_descriptor = weakref.finalize(self, os.close, self._descriptor)
                self._starts = self._find_starts(file[self._key])
                if self._starts is None:
                    self._close_descriptor()
            self._file = file

    def _find_starts(self, stored: h5py.Dataset) -> NDArray[np.int64] | None:
        starts = row_starts(stored)
        return starts if starts is not None and self._agree(stored, starts) else None

    def _agree(self, stored: h5py.Dataset, starts: NDArray[np.int64]) -> bool:
        """Whether a few rows read alike in both ways; rows of one colour alone would show nothing."""
        rows = np.unique(np.linspace(0, len(self) - 1, 8).astype(np.int64))
        try:
            direct = self._read_direct(rows, starts)
        except OSError:
            return False  # beyond the end
        same = all(
            bool((direct[at] == self._turn(stored[row][None])[0]).all()) for at, row in enumerate(rows)
        )
        return same and any(int(row.min()) != int(row.max()) for row in direct)

    def _turn(self, stored: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(stored.transpose(self._axes))

    def _read_direct(self, rows: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[Any]:
        stored = np.empty((len(rows), *self._stored_shape[1:]), self.dtype)
        if not len(rows):
            return self._turn(stored)
        content, row_bytes = stored.reshape(-1).view(np.uint8).data, stored[0].nbytes
        places = starts[rows]
        begins = [0, *(np.flatnonzero(np.diff(places) != row_bytes) + 1).tolist(), len(rows)]
        for first, last in pairwise(begins):  # rows that lie one after the other
            done, end, place = first * row_bytes, last * row_bytes, int(places[first])
            while done < end:
                count = os.preadv(self._descriptor, [content[done:end]], place)
                if not count:
                    raise OSError("the file ends before them")
                done, place = done + count, place + count
        return self._turn(stored)

    def _read_runs(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read run by run: one selection of scattered rows costs HDF5 far more."""
        assert self._file is not None
        stored = self._file[self._key]
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        selection: list[slice] = [slice(None)] * 4
        for run in np.split(order, np.flatnonzero(np.diff(rows[order]) != 1) + 1):
            if len(run):
                selection[self._axes[0]] = slice(int(rows[run[0]]), int(rows[run[-1]]) + 1)
                out[run] = stored[tuple(selection)].transpose(self._axes)
        return out
