"""Arrays of an index on the disk: written so that they are there after a crash, read by mapping them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_search._errors import CodeIndexError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array and wait until it is on the disk."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def write_pieces(path: Path, pieces: Iterable[NDArray[np.uint8]], size: int) -> None:
    """Write pieces as one array of `size` bytes, without joining them in memory, and wait likewise."""
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(piece.data)
        file.flush()
        os.fsync(file.fileno())


def map_array(path: Path) -> Any:
    """Map an array of an index into memory.

    Raises:
        FileNotFoundError: if a writer has removed it in the meantime.
        CodeIndexError: if it is damaged.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - NumPy evaluates the header, where anything may stand
        raise damaged(path, "it is no array of NumPy") from None


def damaged(path: Path, reason: object) -> CodeIndexError:
    """Return the error that a file of an index is damaged."""
    return CodeIndexError(f"{path} is damaged ({reason}); make the index anew")


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
