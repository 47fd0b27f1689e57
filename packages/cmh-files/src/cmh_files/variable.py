"""One array in one file, before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cmh_files.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_files.hdf5.rows import Hdf5Rows


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One array in one file, not yet read.

    Args:
        key: its name; `group/name` inside a group.
        shape: as the file's reader shows it.
        dtype: likewise; object where it cannot be read.
        file: where it is stored.
        kind: "mat5", "hdf5", "npz", "npy" or "text".
        read: reads it whole.
        rows: reads it row by row from disk, for pixels.
    """

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    file: Path
    kind: str
    read: Callable[[], NDArray[Any]]
    rows: Hdf5Rows | None = None

    def __str__(self) -> str:
        return f"{self.key} {self.shape} {self.dtype}"


def unread_variable(path: Path, key: str, container: str, kind: str) -> Variable:
    """Name something that stands in a file and is not read.

    Args:
        path: the file.
        key: its name.
        container: "mat5" or "hdf5".
        kind: what it is, for the message.

    Returns:
        A variable of shape `()` and dtype object, whose reading raises `DataError`.
    """

    def read() -> NoReturn:
        raise DataError(
            f"{path} holds {key} as a {kind}, which is not read; save plain arrays of real numbers."
        )

    return Variable(key=key, shape=(), dtype=np.dtype(object), file=path, kind=container, read=read)
