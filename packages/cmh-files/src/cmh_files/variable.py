"""One array in one file, before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cmh_files.hdf5.rows import Hdf5Rows


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One array in one file, not yet read.

    Args:
        key: its name; `group/name` inside a group.
        shape: as the file's reader shows it.
        dtype: likewise.
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
