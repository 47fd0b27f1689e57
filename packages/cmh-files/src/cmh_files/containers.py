"""Which container a file is, by its bytes, and the variables in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_files.errors import DataError
from cmh_files.foreign import foreign_hdf5, foreign_program
from cmh_files.hdf5.matlab_text import characters, is_characters, read_cells
from cmh_files.hdf5.open import open_hdf5
from cmh_files.hdf5.rows import Hdf5Rows
from cmh_files.mat5.format import VERSION_5
from cmh_files.mat5.read import mat5_variables
from cmh_files.npz.read import read_npy_stream, read_npz
from cmh_files.sparse import dense_from_columns
from cmh_files.variable import Variable, unread_variable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
NPY_SIGNATURE = b"\x93NUMPY"


def container(path: Path) -> str:
    """Name a file's container by its bytes, never by its name.

    Args:
        path: the file.

    Returns:
        "mat5", "hdf5" (MATLAB 7.3 or other), "npz", "npy", "text" or "unknown".

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "table.mat")
        >>> _ = path.write_text("1 0 1")
        >>> container(path)
        'text'
    """
    with path.open("rb") as file:
        head = file.read(1024)
    if is_hdf5(path):
        return "hdf5"
    if head[124:128] in VERSION_5:
        return "mat5"
    if head.startswith(ZIP_SIGNATURES):
        return "npz"
    if head.startswith(NPY_SIGNATURE):
        return "npy"
    if head and b"\0" not in head:
        return "text"
    return "unknown"


def is_hdf5(path: Path) -> bool:
    """Whether a file has the HDF5 signature, at its start or behind a block of 512, 1024, 2048, ... bytes.

    Args:
        path: the file.

    Returns:
        True or False.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            if file.read(8) == HDF5_SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False


def strings(values: Any) -> tuple[str, ...]:
    """Give names as Python strings.

    Args:
        values: an array of any shape and dtype: texts, bytes or numbers.

    Returns:
        The strings, in C order.

    Example:
        >>> strings([b"cat", b"dog"])
        ('cat', 'dog')
    """
    return tuple(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in np.asarray(values).ravel().tolist()
    )


def variables(path: Path) -> list[Variable]:
    """List the variables of one file, by its content.

    Args:
        path: the file; a text file has no variables.

    Returns:
        The variables; what cannot be read is among them, with the dtype object.

    Raises:
        DataError: the file is damaged, declares what it does not hold, or is of no known container; where
            another program wrote it, the message names that program and the line that saves it readably.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "codes.npz")
        >>> np.savez(path, query=np.ones((2, 8)))
        >>> [str(variable) for variable in variables(path)]
        ['query (2, 8) float64']
    """
    kind = container(path)
    if kind == "hdf5":
        return _hdf5_variables(path)
    if kind == "mat5":
        return mat5_variables(path)
    if kind == "npz":
        _refuse_foreign(path)
        return [_in_memory(path, "npz", key, array) for key, array in read_npz(path).items()]
    if kind == "npy":
        return [_in_memory(path, "npy", path.stem, _read_npy(path))]
    if kind == "unknown":
        _refuse_foreign(path)
        with path.open("rb") as file:
            head = file.read(16)
        if not head:
            raise DataError(f"{path} is empty (0 bytes); fetch or make it again.")
        raise DataError(
            f"{path} is neither MATLAB 5, HDF5 (MATLAB 7.3), npz, npy nor text; its first bytes are {head!r}."
        )
    return []


def attributes(path: Path) -> dict[str, Any]:
    """Read the top attributes of an HDF5 file that are texts or whole numbers.

    Args:
        path: the file.

    Returns:
        Their values by name.

    Raises:
        DataError: the file is damaged or reaches out of itself.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp(), "a.h5")
        >>> with h5py.File(path, "w") as file:
        ...     file.attrs["name"] = "small"
        >>> attributes(path)
        {'name': 'small'}
    """
    with open_hdf5(path) as file:
        return {
            str(key): value for key, value in file.attrs.items() if isinstance(value, (str, int, np.integer))
        }


def _refuse_foreign(path: Path) -> None:
    foreign = foreign_program(path)
    if foreign is not None:
        raise DataError(f"{path} {foreign}")


def _in_memory(path: Path, kind: str, key: str, array: NDArray[Any]) -> Variable:
    return Variable(key=key, shape=array.shape, dtype=array.dtype, file=path, kind=kind, read=lambda: array)


def _read_npy(path: Path) -> NDArray[Any]:
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            return read_npy_stream(path, path.name, stream, available=size, stored=size)
    except DataError:
        raise
    except (ValueError, EOFError, OSError, SyntaxError, TypeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} is a damaged or truncated npy file ({reason}); fetch or make it again."
        ) from error


def _hdf5_variables(path: Path) -> list[Variable]:
    found: list[Variable] = []
    with open_hdf5(path) as file:
        foreign = foreign_hdf5(path.name, file)
        if foreign is not None:
            raise DataError(f"{path} {foreign}")
        _walk(path, file, found)
    return found


def _walk(path: Path, group: h5py.Group, found: list[Variable]) -> None:
    for name, item in group.items():
        key = f"{group.name}/{name}".lstrip("/")
        if name.startswith("#"):
            continue  # where MATLAB keeps what its cell arrays and objects point to
        if "MATLAB_object_decode" in item.attrs:
            stated = item.attrs.get("MATLAB_class", b"")
            kind = stated.decode("ascii", "replace") if isinstance(stated, bytes) else str(stated)
            found.append(unread_variable(path, key, "hdf5", f"MATLAB object of class {kind}"))
            continue
        if isinstance(item, h5py.Group) and "MATLAB_sparse" in item.attrs:
            rows, columns = int(item.attrs["MATLAB_sparse"]), len(item["jc"]) - 1
            read, dtype = _sparse_reader(path, key), item["data"].dtype
            found.append(
                Variable(key=key, shape=(rows, columns), dtype=dtype, file=path, kind="hdf5", read=read)
            )
        elif isinstance(item, h5py.Group):
            _walk(path, item, found)
        elif isinstance(item, h5py.Dataset) and item.shape is not None:
            found.append(
                Variable(
                    key=key,
                    shape=item.shape,
                    dtype=item.dtype,
                    file=path,
                    kind="hdf5",
                    read=_dense_reader(path, key),
                    rows=Hdf5Rows(path, key) if len(item.shape) == 4 else None,
                )
            )


def _dense_reader(path: Path, key: str) -> Callable[[], NDArray[Any]]:
    def read() -> NDArray[Any]:
        with open_hdf5(path) as file:
            item = file[key]
            if h5py.check_ref_dtype(item.dtype) is not None:
                return read_cells(path, file, item)
            if is_characters(item):
                return np.array(characters(item), dtype=np.str_)
            if h5py.check_string_dtype(item.dtype) is not None:
                return np.asarray(item.asstr()[()]).astype(np.str_)
            return np.asarray(item[()])

    return read


def _sparse_reader(path: Path, key: str) -> Callable[[], NDArray[Any]]:
    def read() -> NDArray[Any]:
        with open_hdf5(path) as file:
            group = file[key]
            data, ir, jc = (np.asarray(group[part][()]) for part in ("data", "ir", "jc"))
            shape = (int(group.attrs["MATLAB_sparse"]), len(jc) - 1)
            return dense_from_columns(
                f"{path}: {key}", values=data.ravel(), rows=ir.ravel(), starts=jc.ravel(), shape=shape
            )

    return read
