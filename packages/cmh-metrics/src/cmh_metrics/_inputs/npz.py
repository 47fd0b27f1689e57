"""Arrays in `.npz` files, without pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from os import PathLike


def write_arrays(path: str | PathLike[str], **arrays: Any) -> None:
    """Write named arrays to an `.npz` file of exactly this name."""
    with open(path, "wb") as file:  # noqa: PTH123 - numpy changes the name of what is not an open file
        np.savez_compressed(file, **arrays)


def read_arrays(path: str | PathLike[str], *names: str) -> list[Any]:
    """Read named arrays from an `.npz` file.

    Raises:
        ValueError: if the file is something else or lacks one of them.
    """
    file = np.load(path, allow_pickle=False)
    if not isinstance(file, np.lib.npyio.NpzFile) or not set(names) <= set(file.files):
        wanted = " and ".join(map(repr, names))
        raise ValueError(f"{path} must be an .npz file with the arrays {wanted}")
    with file:
        return [file[name] for name in names]
