"""MATLAB 5 files, read here because SciPy's reader crashes the process on damaged bytes.

Numbers, characters, sparse tables, cells and structs are read;
objects, functions and other classes are named and left.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_files.errors import DEFLATE_RATIO, DataError, damaged
from cmh_files.mat5.format import (
    CELL_CLASS,
    CHAR_CLASS,
    CHARACTERS,
    COMPLEX,
    COMPRESSED,
    ENCODINGS,
    FULL,
    HEADER_BYTES,
    LITTLE,
    LOGICAL,
    MATRIX,
    OPAQUE_CLASS,
    SPARSE_CLASS,
    STORED,
    STRUCT_CLASS,
    UINT8,
    UINT16,
    VERSION_5,
)
from cmh_files.sparse import dense_from_columns
from cmh_files.variable import Variable, unread_variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DEEPEST = 8

_VALUES = STORED | CHARACTERS
# MATLAB stores numbers in the smallest type that fits; the class says what they become.
_NUMBERS = {kind: STORED[full] for kind, full in FULL.items()}


@dataclass(frozen=True)
class Unread:
    """Content of a class that only MATLAB reads, such as a table.

    Args:
        kind: the class in words.
    """

    kind: str


def read_mat5(path: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """Read the variables of a MATLAB 5 file as they are nested.

    Args:
        path: the file.
        names: the variables to read; None reads all.

    Returns:
        By name: numbers as an array in MATLAB's axes, rows of characters as an array of strings, a struct
        as a dict of its fields, a cell array as a list in column order, anything else as `Unread`.

    Raises:
        DataError: the file is damaged or declares sizes that its bytes cannot fill.

    Example:
        >>> from pathlib import Path
        >>> read_mat5(Path("nowhere.mat"))
        Traceback (most recent call last):
        cmh_files.errors.DataError: nowhere.mat does not exist.
    """
    found: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            # The mapping is freed with its last view.
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        _require_signature(path, content)
        reader = Reader("<" if content[124:128] == LITTLE else ">")
        for kind, body in reader.elements(content[HEADER_BYTES:]):
            if kind == MATRIX:
                name, value = reader.matrix(body, depth=0, names=names)
                if name and (names is None or name in names):  # MATLAB keeps its objects without a name
                    found[name] = value
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (ValueError, struct.error, zlib.error, OSError, MemoryError, OverflowError, BufferError) as error:
        raise damaged(path, error, "MATLAB") from error
    return found


def _require_signature(path: Path, content: memoryview) -> None:
    if content[124:128] not in VERSION_5:
        raise DataError(f"{path} is no MATLAB 5 file; its first bytes are {bytes(content[:16])!r}.")


def mat5_variables(path: Path) -> list[Variable]:
    """Read all variables of a MATLAB 5 file; a struct's fields become `name/field`.

    Args:
        path: the file.

    Returns:
        The variables. What is neither numbers nor texts has the dtype object and is not read.

    Raises:
        DataError: the file is damaged or declares sizes that its bytes cannot fill.
    """
    found: dict[str, NDArray[Any] | Unread] = {}
    for name, value in read_mat5(path).items():
        _collect(found, name, value)
    return [_variable(path, key, value) for key, value in found.items()]


def _variable(path: Path, key: str, value: NDArray[Any] | Unread) -> Variable:
    if isinstance(value, Unread):
        return unread_variable(path, key, "mat5", value.kind)
    return Variable(key=key, shape=value.shape, dtype=value.dtype, file=path, kind="mat5", read=lambda: value)


_Element = tuple[int, memoryview]


@dataclass(frozen=True, kw_only=True)
class _Array:
    """The head of one array and its elements, not yet read."""

    name: str
    kind: int
    is_logical: bool
    is_complex: bool
    shape: tuple[int, ...]
    parts: list[_Element]
    depth: int

    @property
    def count(self) -> int:
        return int(np.prod([*self.shape], dtype=object))

    def part(self, number: int) -> _Element:
        if number >= len(self.parts):
            raise ValueError(f"{self.name} without all its parts")
        return self.parts[number]


class Reader:
    """Reads the elements of one file; ValueError says what is damaged."""

    def __init__(self, order: str) -> None:
        self._order = order

    def elements(self, data: memoryview) -> Iterator[_Element]:
        """The elements of a stretch of bytes, unpacked: their type and their bytes."""
        place = 0
        while len(data) - place >= 8:
            kind, size = struct.unpack_from(f"{self._order}II", data, place)
            if kind >> 16:  # a small element: size and type share the first word, the data is the second
                kind, size = kind & 0xFFFF, kind >> 16
                if size > 4:
                    raise ValueError(f"a small element of {size} bytes")
                yield kind, data[place + 4 : place + 4 + size]
                place += 8
                continue
            body = data[place + 8 : place + 8 + size]
            if len(body) < size:
                raise ValueError(f"an element of {size} bytes where {len(body)} are left")
            place += 8 + size
            if kind == COMPRESSED:
                yield from self.elements(self._unpack(body))
            else:
                place += -size % 8
                yield kind, body

    def _unpack(self, packed: memoryview) -> memoryview:
        start = zlib.decompressobj().decompress(packed, 8)
        if len(start) < 8:
            raise ValueError("a compressed element without a tag")
        kind, size = struct.unpack(f"{self._order}II", start)
        if kind != MATRIX:
            raise ValueError(f"a compressed element of type {kind}")
        if size > DEFLATE_RATIO * len(packed):
            raise ValueError(f"a compressed element of {size} bytes packed in {len(packed)}")
        unpacked = zlib.decompressobj().decompress(packed, size + 8)
        if len(unpacked) < size + 8:
            raise ValueError(f"a compressed element of {size} bytes that holds {len(unpacked) - 8}")
        return memoryview(unpacked)

    def matrix(
        self, body: memoryview, *, depth: int, names: Collection[str] | None = None
    ) -> tuple[str, Any]:
        """One array: its name, and numbers, strings, a dict of fields or a list of cells."""
        if not len(body):
            return "", np.zeros((0, 0))
        array = self._head(body, depth=depth, names=names)
        if not isinstance(array, _Array):
            return array
        readers = {
            CHAR_CLASS: self._characters,
            SPARSE_CLASS: self._sparse,
            CELL_CLASS: self._cells,
            STRUCT_CLASS: self._struct,
        }
        if array.kind in _NUMBERS and array.is_complex:
            return array.name, Unread("table of complex numbers")
        read = self._table if array.kind in _NUMBERS else readers.get(array.kind)
        return array.name, read(array) if read else Unread(f"MATLAB content of class {array.kind}")

    def tables(self, key: str, body: memoryview, *, depth: int = 0) -> Iterator[tuple[str, NDArray[Any]]]:
        """Find the dense tables of real numbers in a struct, as views of its bytes.

        Args:
            key: the struct's name.
            body: its bytes behind the tag.
            depth: how many structs it is inside of.

        Yields:
            `key/field` and the numbers as stored, in MATLAB's axes.
        """
        array = self._head(body, depth=depth) if len(body) else None
        if not isinstance(array, _Array):
            return
        if array.kind == STRUCT_CLASS and array.count == 1:
            for name, (kind, inner) in self._fields(array).items():
                if kind == MATRIX:
                    yield from self.tables(f"{key}/{name}", inner, depth=depth + 1)
        elif array.kind in _NUMBERS and depth and not array.is_complex:
            values = self._numbers(array.part(0))
            if len(values) == array.count:
                yield key, values.reshape(array.shape, order="F")

    def _head(
        self, body: memoryview, *, depth: int, names: Collection[str] | None = None
    ) -> _Array | tuple[str, Any]:
        """The head of an array, or its name and what stands for an array that is not read."""
        if depth > DEEPEST:
            raise ValueError(f"arrays nested deeper than {DEEPEST} levels")
        parts = list(self.elements(body))
        if len(parts) < 3:
            raise ValueError("an array without flags, dimensions or name")
        flags = self._numbers(parts[0])
        if len(flags) and int(flags[0]) & 0xFF == OPAQUE_CLASS:  # it has no dimensions
            return _text_of(parts[1]), Unread(f"MATLAB object of class {_text_of(parts[-2]) or 'unknown'}")
        dimensions = self._numbers(parts[1])
        if names is not None and _text_of(parts[2]) not in names:
            return _text_of(parts[2]), None
        if not len(flags) or len(dimensions) < 2 or dimensions.min() < 0:
            raise ValueError(f"an array with the dimensions {dimensions[:4].tolist()}")
        return _Array(
            name=_text_of(parts[2]),
            kind=int(flags[0]) & 0xFF,
            is_logical=bool(int(flags[0]) & LOGICAL),
            is_complex=bool(int(flags[0]) & COMPLEX),
            shape=tuple(int(size) for size in dimensions),
            parts=parts[3:],
            depth=depth,
        )

    def _numbers(self, element: _Element) -> NDArray[Any]:
        kind, body = element
        if kind not in _VALUES:
            raise ValueError(f"an element of type {kind} where numbers are expected")
        return np.frombuffer(body, np.dtype(self._order + _VALUES[kind]))

    def _table(self, array: _Array) -> NDArray[Any]:
        values = self._numbers(array.part(0))
        if len(values) != array.count:
            raise ValueError(f"{array.name} declares {array.count} numbers and holds {len(values)}")
        return values.reshape(array.shape, order="F").astype(_NUMBERS[array.kind], order="C")

    def _characters(self, array: _Array) -> NDArray[np.str_]:
        """A table of characters as one string per row."""
        kind, body = array.part(0)
        if kind not in ENCODINGS:
            raise ValueError(f"characters of type {kind}")
        endian = {"<": "-le", ">": "-be"}[self._order] if "16" in ENCODINGS[kind] else ""
        text = bytes(body).decode(ENCODINGS[kind] + endian, "replace")
        rows = array.shape[0]
        if not array.count:
            return np.array([""])
        if "16" in ENCODINGS[kind]:  # two of its units may be one character
            units = self._numbers((UINT16, body))
            if len(units) == array.count:
                table = units.reshape((rows, -1), order="F")
                return np.array([row.tobytes().decode(ENCODINGS[kind] + endian, "replace") for row in table])
        if len(text) != array.count:
            raise ValueError(f"{array.name} declares {array.count} characters and holds {len(text)}")
        return np.array([text[row::rows] for row in range(rows)])

    def _sparse(self, array: _Array) -> NDArray[Any]:
        rows, starts = self._numbers(array.part(0)), self._numbers(array.part(1))
        kind, body = array.part(2)
        # MATLAB labels the ones of a logical sparse table as doubles but writes single bytes.
        if array.is_logical and len(starts) and len(body) == starts[-1]:
            kind = UINT8
        values = self._numbers((kind, body))
        if len(array.shape) != 2:
            raise ValueError(f"{array.name} is a sparse table of {len(array.shape)} dimensions")
        return dense_from_columns(array.name, values=values, rows=rows, starts=starts, shape=array.shape)

    def _cells(self, array: _Array) -> list[Any]:
        if len(array.parts) != array.count:
            raise ValueError(f"{array.name} declares {array.count} cells and holds {len(array.parts)}")
        return [self._inner(part, array.depth) for part in array.parts]

    def _struct(self, array: _Array) -> dict[str, Any] | Unread:
        if array.count != 1:
            return Unread(f"MATLAB array of {array.count} structs")
        return {name: self._inner(part, array.depth) for name, part in self._fields(array).items()}

    def _fields(self, array: _Array) -> dict[str, _Element]:
        length, text = self._numbers(array.part(0)), bytes(array.part(1)[1])
        if len(length) != 1 or not 0 < length[0] <= 64 or len(text) % int(length[0]):
            raise ValueError("a struct with damaged field names")
        step, fields = int(length[0]), array.parts[2:]
        names = [text[at : at + step].split(b"\0")[0].decode("latin-1") for at in range(0, len(text), step)]
        if len(names) != len(fields):
            raise ValueError(f"a struct with {len(names)} field names and {len(fields)} fields")
        return dict(zip(names, fields, strict=True))

    def _inner(self, part: _Element, depth: int) -> Any:
        if part[0] != MATRIX:
            raise ValueError(f"an element of type {part[0]} where an array is expected")
        return self.matrix(part[1], depth=depth + 1)[1]


def _text_of(element: _Element) -> str:
    return bytes(element[1]).decode("latin-1").rstrip("\0")


def _collect(found: dict[str, NDArray[Any] | Unread], key: str, value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _collect(found, f"{key}/{name}", inner)
    elif isinstance(value, list):
        words = _cell_strings(value)
        found[key] = Unread("MATLAB cell array that holds more than texts") if words is None else words
    else:
        found[key] = value


def _cell_strings(cells: list[Any]) -> NDArray[np.str_] | None:
    """A cell array of strings as one array of strings; other cells no layout uses."""
    words = []
    for cell in cells:
        inner = cell
        while isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if not isinstance(inner, np.ndarray):
            return None
        if inner.dtype.kind == "U":
            words.append(" ".join(part.rstrip() for part in inner.ravel().tolist()))
        elif inner.size == 0:
            words.append("")
        else:
            return None
    return np.array(words, dtype=np.str_)
