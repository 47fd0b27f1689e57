"""Arrays of a shard in the files that they lie in: told by their bytes, opened, and read as far as needed."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.codes import PackedCodes
from cmh_metrics._inputs.npz import DAMAGED, read_arrays

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

_PACKED = {"words", "bits"}  # what PackedCodes.save writes
_HDF5 = b"\x89HDF\r\n\x1a\n"


def open_array(path: Path, name: str | None, stack: ExitStack) -> Any:
    """Return an array of a file: a memory map, an HDF5 data set, an array in memory, or `PackedCodes`.

    Args:
        path: an `.npy`, `.npz` or HDF5 file.
        name: of the array in the file; None for the only one, or for packed codes.
        stack: closes what stays open.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is something else, or does not hold the array.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head == _HDF5:
        return _open_hdf5(path, name, stack)
    if head[:4] == b"PK\x03\x04":
        return _open_npz(path, name)
    if head[:6] != b"\x93NUMPY":
        raise ValueError(f"{path} must be an .npy, .npz or HDF5 file, but it is something else")
    if name is not None:
        raise ValueError(f"{path} is an .npy file, which holds one array without a name; leave out {name!r}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED as error:
        raise ValueError(f"{path} must be an .npy file of numbers or texts, but {_one_line(error)}") from None


def _open_npz(path: Path, name: str | None) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.removesuffix(".npy") for member in archive.namelist()]
    except DAMAGED as error:
        raise ValueError(f"{path} must be an .npz file, but {_one_line(error)}") from None
    if name is None and set(names) == _PACKED:
        return PackedCodes.load(path)
    return read_arrays(path, _only(path, names, name))[0]


def _open_hdf5(path: Path, name: str | None, stack: ExitStack) -> Any:
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError:
        raise ValueError(
            f"{path} is an HDF5 file, which h5py reads; install it with: pip install 'cmh-metrics[hdf5]'"
        ) from None
    try:
        file = stack.enter_context(h5py.File(path, "r"))
        names = [key for key, item in file.items() if isinstance(item, h5py.Dataset)]
        chosen = name if name is not None and name in file else _only(path, names, name)
        found = file[chosen]
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} must be an HDF5 file, but {_one_line(error)}") from None
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path} must hold {chosen!r} as a data set, but it is a group")  # noqa: TRY004
    if "MATLAB_class" in found.attrs:
        raise ValueError(
            f"{path} was written by MATLAB, which stores rows as columns; save its arrays as .npy files"
        )
    return found


def _only(path: Path, names: list[str], name: str | None) -> str:
    """Return the name that was asked for, or that of the only array."""
    listed = ", ".join(map(repr, names)) or "none"
    if name is None and len(names) != 1:
        raise ValueError(
            f"{path} holds {len(names)} arrays, so that one must be named, but no name is given; it holds "
            f"{listed}"
        )
    if name is not None and name not in names:
        raise ValueError(f"{path} must hold the array {name!r}, but it holds {listed}")
    return names[0] if name is None else name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
