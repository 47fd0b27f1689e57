"""MATLAB 5 files: the variables in them, read by SciPy."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.io
import scipy.sparse

from cmh_data._errors import DataError
from cmh_data._hdf5 import check_declared_size
from cmh_data._raw import Variable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VERSION_5 = (b"\x00\x01IM", b"\x01\x00MI")

# What SciPy raises on damaged bytes, found by fuzzing it.
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, OverflowError, RuntimeError,
    AttributeError, NotImplementedError, AssertionError, UnboundLocalError, ZeroDivisionError, SystemError,
    zlib.error, UnicodeError, re.error,
)  # fmt: skip


def mat5_variables(path: Path) -> list[Variable]:
    """Read all variables of a MATLAB 5 file; a struct's fields become `name/field`.

    Raises:
        DataError: the file is damaged or declares sizes that its bytes cannot fill.
    """
    try:
        size = path.stat().st_size
        for key, shape, _ in scipy.io.whosmat(path):
            declared = 8 * int(np.prod([int(length) for length in shape], dtype=object))
            check_declared_size(path, key, declared, size)
        content = scipy.io.loadmat(path, verify_compressed_data_integrity=True)
        found: dict[str, NDArray[Any]] = {}
        for key, value in content.items():
            if not key.startswith("__"):
                _collect(found, key, value)
    except DataError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} is a damaged or truncated MATLAB file ({reason}); fetch or make it again."
        ) from error
    return [_variable(path, key, value) for key, value in found.items()]


def _variable(path: Path, key: str, value: NDArray[Any]) -> Variable:
    return Variable(key=key, shape=value.shape, dtype=value.dtype, file=path, kind="mat5", read=lambda: value)


def _collect(found: dict[str, NDArray[Any]], key: str, value: Any, depth: int = 0) -> None:
    if scipy.sparse.issparse(value):
        rows, columns = value.shape
        stored = value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
        if rows * columns * value.dtype.itemsize > max(1 << 32, 1000 * stored):
            raise ValueError(f"the sparse array {key} declares {rows} x {columns} values")
        value = value.toarray()
    if not isinstance(value, np.ndarray):
        return
    if value.dtype.names and value.size == 1 and depth < 4:
        record = value.ravel()[0]
        for name in value.dtype.names:
            _collect(found, f"{key}/{name}", record[name], depth + 1)
    elif value.dtype == object and value.size and depth < 4:
        found[key] = _cell_strings(value)
    else:
        found[key] = value


def _cell_strings(cells: NDArray[Any]) -> NDArray[Any]:
    """A cell array of strings as one array of strings; other cells stay objects, which no layout uses."""
    words = []
    for cell in cells.ravel():
        inner = cell
        while isinstance(inner, np.ndarray) and inner.dtype == object and inner.size == 1:
            inner = inner.ravel()[0]
        if isinstance(inner, np.ndarray) and inner.dtype.kind == "U":
            words.append(" ".join(part.rstrip() for part in inner.ravel().tolist()))
        elif isinstance(inner, np.ndarray) and inner.size == 0:
            words.append("")
        else:
            return cells
    return np.array(words, dtype=np.str_)
