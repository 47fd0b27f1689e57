"""One array out of any file: codes and labels that come from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmh_files import foreign_program, variables

from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray


def read_array(path: str | os.PathLike[str], key: str | None = None) -> NDArray[Any]:
    """Read one array from an npy, npz, MATLAB 5, MATLAB 7.3 or HDF5 file, decided by its content.

    Args:
        path: the file.
        key: the array's name in the file; may be left out when the file holds only one.

    Returns:
        The array `(...)` of any dtype, as the file stores it. MATLAB 7.3 files store the axes in reverse.

    Raises:
        DataError: no such file or array, a damaged or unsafe file, or several arrays and no key.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/codes.npz", query=np.ones((2, 4)), database=np.ones((3, 4)))
        ...     read_array(f"{folder}/codes.npz", "query").shape
        (2, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not found; give the path of an npy, npz, mat or h5 file.")
    found = {variable.key: variable for variable in variables(path)}
    if key not in found:  # what stands beside arrays and is not read, such as a table of MATLAB's
        found = {name: variable for name, variable in found.items() if variable.dtype != object}
    if not found:
        foreign = foreign_program(path)
        if foreign is not None:
            raise DataError(f"{path} {foreign}")
        raise DataError(f"{path} holds no array; give an npy, npz, mat or h5 file.")
    if key is None and len(found) > 1:
        raise DataError(f"{path} holds several arrays; name one of {', '.join(found)}.")
    if key is not None and key not in found:
        raise DataError(f"{path} has no array {key!r}; it has {', '.join(map(str, found.values()))}.")
    return found[key or next(iter(found))].read()
