"""Arrays in `.npz` files, without pickle."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from os import PathLike

#: What numpy, zipfile and zlib raise for damaged files.
DAMAGED = (
    ValueError, EOFError, SyntaxError, TypeError, MemoryError, OverflowError, NotImplementedError,
    RuntimeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def write_arrays(path: str | PathLike[str], **arrays: Any) -> None:
    """Write named arrays to an `.npz` file of exactly this name."""
    with open(path, "wb") as file:  # noqa: PTH123 - numpy changes the name of what is not an open file
        np.savez_compressed(file, **arrays)


def read_arrays(path: str | PathLike[str], *names: str) -> list[Any]:
    """Read named arrays from an `.npz` file.

    Raises:
        ValueError: if the file is something else or lacks one of them.
    """
    wanted = " and ".join(map(repr, names))
    try:
        with zipfile.ZipFile(path) as archive:
            found = [_read(archive, f"{name}.npy") for name in names]
    except FileNotFoundError:
        raise
    except (*DAMAGED, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} must be an .npz file with the arrays {wanted}, but {reason}") from error
    return found


def _read(archive: zipfile.ZipFile, name: str) -> Any:
    """Read one array; an array whose head promises more than there is takes no memory for it."""
    info = archive.getinfo(name)
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_head = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_head(file)
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
            raise EOFError(f"{name} promises more than its {info.file_size} bytes")
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
