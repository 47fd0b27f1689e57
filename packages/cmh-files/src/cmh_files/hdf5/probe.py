"""Run as a script in a child process: touch an HDF5 file, so that a crash happens there."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py

SMALL = 64 << 20
SPARE = 1 << 30
TOO_LARGE = 3  # exit status: the file makes the library ask for memory out of proportion to its size


def limit_memory(path: Path) -> None:
    """Refuse this process more memory than a file of this size can need, where the system can (Linux).

    A damaged length of a string makes the HDF5 library allocate gigabytes before it looks at the string.

    Args:
        path: the file.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = used + SPARE + 4 * path.stat().st_size
    resource.setrlimit(
        resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )


def is_too_large(error: BaseException) -> bool:
    """Tell whether memory was refused.

    Args:
        error: what the library or NumPy raised.

    Returns:
        True where it was.
    """
    return isinstance(error, MemoryError) or "memory allocation failed" in str(error)


def touch(group: h5py.Group, depth: int = 0) -> None:
    """Read attributes and small data sets whole, of large ones the chunk index and the first and last row."""
    dict(group.attrs)
    for name in group:
        if depth > 8 or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return
        item = group[name]
        if isinstance(item, h5py.Group):
            touch(item, depth + 1)
        elif isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external:
            dict(item.attrs)
            stored = item.id.get_storage_size()
            declared = item.size * item.dtype.itemsize if item.size else 0
            if item.chunks:
                item.id.get_num_chunks()
            if declared <= min(SMALL, 1000 * max(stored, 1)):
                values = item[()]
                if h5py.check_ref_dtype(item.dtype) is not None:
                    for reference in values.ravel():
                        group.file[reference].attrs  # noqa: B018 - a damaged reference may crash
            elif item.shape:
                item[0], item[-1]


if __name__ == "__main__":
    try:
        limit_memory(Path(sys.argv[1]))
        with h5py.File(sys.argv[1], "r") as opened:
            touch(opened)
    except Exception as found:  # noqa: BLE001 - the parent meets the same error and says it well
        if is_too_large(found):
            sys.exit(TOO_LARGE)
