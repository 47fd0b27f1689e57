"""Reading `.npz` files without pickle and without trusting what they declare."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_files.errors import DataError, check_declared_size

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an `.npz` file.

    Raises:
        DataError: the file is damaged, holds Python objects, or declares sizes that its bytes cannot fill.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return {info.filename[:-4]: _read_member(path, archive, info) for info in members}
    except DataError:
        raise
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, SyntaxError, TypeError,
        RuntimeError, NotImplementedError, MemoryError, OverflowError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} is a damaged or truncated npz file ({reason}); fetch or make it again."
        ) from error


def read_npy_header(path: Path, name: str, stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read what stands in front of the values of one `.npy` array.

    Args:
        path: the file, for messages.
        name: the array, for messages.
        stream: open at the array's start; stands before the values afterwards.

    Returns:
        Shape, whether the first axis lies innermost, and dtype.

    Raises:
        DataError: another version, Python objects, or sizes below zero.
    """
    version = np.lib.format.read_magic(stream)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise DataError(f"{path} holds {name} in npy version {version}; versions 1.0 and 2.0 are read.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran_order, dtype = read_header(stream)
    except (ValueError, EOFError, SyntaxError, TypeError, RecursionError, tokenize.TokenError) as error:
        raise DataError(f"{path} is damaged: {name} has a head that says no shape and dtype.") from error
    if dtype.hasobject:
        raise DataError(
            f"{path} holds Python objects (pickle) in {name}, which are never read; save plain arrays: "
            f"{_plain_line(path, name)}"
        )
    if min(shape, default=0) < 0:
        raise DataError(f"{path} is damaged: {name} declares the shape {shape}.")
    return tuple(int(size) for size in shape), bool(fortran_order), dtype


def _plain_line(path: Path, name: str) -> str:
    """The line that saves an array of objects as numbers."""
    loaded = f'np.load("{path.name}", allow_pickle=True)'
    if name == path.name:
        return f'np.save("{path.name}", np.stack(list({loaded}))) where you trust the file.'
    return f'np.savez("plain.npz", {name}=np.stack(list({loaded}["{name}"])), ...) where you trust the file.'


def read_npy_stream(path: Path, name: str, stream: Any, *, available: int, stored: int) -> NDArray[Any]:
    """Read one `.npy` array from an open stream.

    Args:
        path: the file, for messages.
        name: the array, for messages.
        stream: open at the array's start.
        available: bytes that the stream can give.
        stored: bytes of it that are on the disk.

    Returns:
        The array, writable.

    Raises:
        DataError: Python objects, or more declared than there is.
    """
    shape, fortran_order, dtype = read_npy_header(path, name, stream)
    declared = prod(shape) * dtype.itemsize
    check_declared_size(path, name, declared, stored)
    if declared > available:
        raise DataError(
            f"{path} is truncated: {name} declares {declared} bytes but holds at most {available}."
        )
    data = stream.read(declared)
    if len(data) < declared:
        raise DataError(f"{path} is truncated: {name} declares {declared} bytes but holds {len(data)}.")
    array = np.frombuffer(bytearray(data), dtype=dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        name = info.filename[:-4]
        return read_npy_stream(path, name, stream, available=info.file_size, stored=info.compress_size)
