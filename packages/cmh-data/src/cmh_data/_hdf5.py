"""Opening HDF5 files that may be hostile or damaged."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A file may declare arrays far larger than itself; a real sparse file seldom compresses a thousandfold.
LARGEST_FREE_BYTES = 4 << 30
LARGEST_RATIO = 1000


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, refuse whatever reaches out of it, and turn damage into `DataError`."""
    try:
        with h5py.File(path, "r") as file:
            _refuse_outside(path, file, depth=0)
            yield file
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} is a damaged or truncated HDF5 file ({reason}); fetch or make it again."
        ) from error


def _refuse_outside(path: Path, group: h5py.Group, *, depth: int) -> None:
    if depth > 8:
        raise DataError(f"{path} nests groups deeper than 8 levels; no known layout does.")
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
            raise DataError(
                f"{path} holds {kind} link at {group.name.rstrip('/')}/{name}, "
                "which may reach outside the file; "
                "copy the data itself into the file."
            )
        item = group[name]
        if isinstance(item, h5py.Group):
            _refuse_outside(path, item, depth=depth + 1)
        elif isinstance(item, h5py.Dataset):
            _refuse_dataset(path, item)


def _refuse_dataset(path: Path, item: h5py.Dataset) -> None:
    if item.is_virtual:
        raise DataError(
            f"{path} holds the virtual data set {item.name}, which reads other files; copy the data itself."
        )
    if item.external:
        raise DataError(f"{path} stores {item.name} in another file; copy the data itself into the file.")
    check_declared_size(path, item.name, _declared_bytes(item), item.id.get_storage_size())


def check_declared_size(path: Path | str, name: str, declared: int, stored: int) -> None:
    """Refuse an array that claims more than 4 GiB and more than a thousand times the bytes stored for it."""
    if declared > LARGEST_FREE_BYTES and declared > LARGEST_RATIO * max(stored, 1):
        raise DataError(
            f"{path} declares {declared} bytes for {name} but stores {stored}; "
            "that is no real array, so it is not read."
        )


def _declared_bytes(item: h5py.Dataset) -> int:
    shape: tuple[int, ...] | None = item.shape
    count = 0 if shape is None else int(np.prod([int(size) for size in shape], dtype=object))
    return count * int(item.dtype.itemsize)


def strings(values: Any) -> tuple[str, ...]:
    """Names as Python strings, from unicode arrays, bytes or numbers."""
    return tuple(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in np.asarray(values).ravel().tolist()
    )
