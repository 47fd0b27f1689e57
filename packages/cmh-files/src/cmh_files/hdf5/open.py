"""Opening HDF5 files that may be hostile or damaged."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from cmh_files.errors import DataError, check_declared_size, damaged
from cmh_files.hdf5.probe import TOO_LARGE

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

PROBE_SECONDS = 60
_PROBED: set[tuple[str, int, int, int]] = set()


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, refuse whatever reaches out of it, and turn damage into `DataError`.

    A child process touches the file first, because damaged bytes can crash the HDF5 library; a file is probed
    once as long as it does not change.

    Args:
        path: the file.

    Yields:
        The open file.

    Raises:
        DataError: the file is damaged, open for writing elsewhere, holds a link or array that leads
            out of it, or declares arrays out of proportion to its size.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.h5")
        >>> with h5py.File(path, "w") as file:
        ...     file["codes"] = [1, -1]
        >>> with open_hdf5(path) as file:
        ...     file["codes"][()].tolist()
        [1, -1]
    """
    _probe(path)
    try:
        with h5py.File(path, "r") as file:
            _refuse_outside(path, file, depth=0)
            yield file
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except PermissionError as error:
        raise DataError(f"{path} may not be read by this user; change its permissions.") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError) as error:
        if "already open for write" in str(error) or "unable to lock file" in str(error):
            _PROBED.clear()  # what the child process could not open, it has not tried
            raise DataError(
                f"{path} is open for writing elsewhere, or the program that wrote it has not closed it; "
                "close it there and try again (h5clear -s FILE, where that program has crashed)."
            ) from error
        raise damaged(path, error, "HDF5") from error


def trust(path: Path) -> None:
    """Open this file without probing it, because this process wrote it, or it comes with a package.

    Args:
        path: the file, as it is now; once it changes it is probed again.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.h5")
        >>> h5py.File(path, "w").close()
        >>> trust(path)
    """
    _PROBED.add(_state(path, path.stat()))


def _state(path: Path, status: os.stat_result) -> tuple[str, int, int, int]:
    return str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns


def _probe(path: Path) -> None:
    """Let a child process touch the file first, because damaged bytes can crash the HDF5 library.

    A file is probed once as long as it does not change.
    """
    try:
        status = path.stat()
    except OSError:
        return  # opening it says why
    state = _state(path, status)
    if state in _PROBED:
        return
    script = str(Path(__file__).with_name("probe.py"))
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this package's own script
            [sys.executable, "-P", script, str(path)], capture_output=True, check=False, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{path} keeps the HDF5 library busy for more than {PROBE_SECONDS} seconds; "
            "it is damaged, or the machine is too busy to read it now: try once more."
        ) from error
    if done.returncode == TOO_LARGE:
        raise DataError(
            f"{path} is a damaged HDF5 file (it declares more than it can hold); fetch or make it again."
        )
    if done.returncode != 0:
        raise DataError(
            f"{path} is a damaged HDF5 file (it crashes the HDF5 library); fetch or make it again."
        )
    _PROBED.add(state)


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


def _declared_bytes(item: h5py.Dataset) -> int:
    shape: tuple[int, ...] | None = item.shape
    count = 0 if shape is None else int(np.prod([int(size) for size in shape], dtype=object))
    return count * int(item.dtype.itemsize)
