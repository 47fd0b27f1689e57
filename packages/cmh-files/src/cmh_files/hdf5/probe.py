"""Run as a script in a child process: touch an HDF5 file, so that a crash happens there."""

from __future__ import annotations

import sys

import h5py

SMALL = 64 << 20


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
        with h5py.File(sys.argv[1], "r") as opened:
            touch(opened)
    except Exception:  # noqa: BLE001, S110 - the parent meets the same error and says it well
        pass
