"""Rewrite some matrices of a MATLAB 5 file in a stream; every other variable is copied byte for byte."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cmh_files.mat5.format import (
    COMPLEX,
    COMPRESSED,
    FULL,
    HEADER_BYTES,
    INT8,
    INT32,
    INT64,
    INT64_CLASS,
    MATRIX,
    SPARSE_CLASS,
    STORED,
    UINT8,
    UINT8_CLASS,
    UINT32,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes
    from cmh_files.row_edit import RowEdit

Sums = list[tuple[int, int]]

BLOCK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Matrix:
    """One element of a file.

    Attributes:
        name: Name of the variable, empty where the element is no matrix.
        start: Offset of its tag.
        stop: Offset behind it.
        compressed: Whether it is compressed.
        flags: The word with class and attributes.
        n_max: The second word, for sparse matrices the room for entries.
        shape: Its dimensions.
    """

    name: str
    start: int
    stop: int
    compressed: bool
    flags: int = 0
    n_max: int = 0
    shape: tuple[int, ...] = ()

    @property
    def kind(self) -> int:
        """The class of the matrix."""
        return self.flags & 0xFF

    @property
    def is_sparse(self) -> bool:
        """Whether it is a sparse matrix."""
        return self.kind == SPARSE_CLASS

    @property
    def is_numeric(self) -> bool:
        """Whether it is a real matrix of numbers, dense or sparse."""
        return (self.is_sparse or self.kind in FULL) and not self.flags & COMPLEX


class Stream:
    """Reads an element from its front, decompressing as it goes."""

    def __init__(self, file: BinaryIO, matrix: Matrix) -> None:
        self._file = file
        self._position = matrix.start + 8 if matrix.compressed else matrix.start
        self._stop = matrix.stop
        self._inflater = zlib.decompressobj() if matrix.compressed else None
        self._ready = bytearray()

    def read(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self._ready) < count:
            raw = self._inflater.unconsumed_tail if self._inflater else b""
            if not raw:
                self._file.seek(self._position)
                raw = self._file.read(min(2**20, self._stop - self._position))
                self._position += len(raw)
            if not raw:
                raise EOFError
            self._ready += raw if self._inflater is None else self._inflater.decompress(raw, 2**22)
        result = bytes(self._ready[:count])
        del self._ready[:count]
        return result

    def unread(self, data: bytes) -> None:
        """Put bytes back to the front."""
        self._ready[:0] = data


class Sink:
    """Writes an element, compressing as it goes, and fills in its length at the end."""

    def __init__(self, file: BinaryIO, order: str, *, compressed: bool) -> None:
        self._file = file
        self._order = order
        self._start = file.tell()
        self._deflater = zlib.compressobj() if compressed else None
        if compressed:
            file.write(struct.pack(order + "II", COMPRESSED, 0))

    def write(self, data: bytes) -> None:
        """Add bytes of the element."""
        self._file.write(data if self._deflater is None else self._deflater.compress(data))

    def close(self) -> None:
        """Finish the element."""
        if self._deflater is None:
            return
        self._file.write(self._deflater.flush())
        stop = self._file.tell()
        self._file.seek(self._start)
        self._file.write(struct.pack(self._order + "II", COMPRESSED, stop - self._start - 8))
        self._file.seek(stop)


def scan(file: BinaryIO) -> tuple[str, list[Matrix]]:
    """List the elements of a file without reading their values.

    Args:
        file: Open for reading.

    Returns:
        Byte order as of `struct`, and the elements in their order.

    Raises:
        ValueError: If the file ends too early or is damaged.
    """
    file.seek(0)
    order = "<" if file.read(HEADER_BYTES)[126:128] == b"IM" else ">"
    end = file.seek(0, 2)
    matrices = []
    start = HEADER_BYTES
    while start < end:
        try:
            matrices.append(_read_element(file, order, start, end))
        except (EOFError, struct.error, zlib.error):
            raise ValueError(
                f"source: the MATLAB 5 file is damaged or cut off in the variable at byte {start}; "
                f"copy or download it again"
            ) from None
        start = matrices[-1].stop
    return order, matrices


def list_arrays(path: Path) -> tuple[Shapes, set[str]]:
    """Shapes of the real numeric matrices of a file, and which of them are sparse."""
    with path.open("rb") as file:
        matrices = [matrix for matrix in scan(file)[1] if matrix.name and matrix.is_numeric]
    return {m.name: m.shape for m in matrices}, {m.name for m in matrices if m.is_sparse}


def copy_emptied(
    source: Path, target: Path, places: list[RowEdit], extra: dict[str, NDArray[np.uint8]], *, verify: bool
) -> None:
    """Write a copy of a file with emptied items.

    Args:
        source: The file.
        target: A new file.
        places: Which items of which arrays are emptied.
        extra: (n,) vectors written beside the data.
        verify: Read the copy again and compare it.

    Raises:
        OSError: If the copy differs from what it should be.
    """
    with source.open("rb") as old, target.open("wb") as new:
        sums = rewrite(old, new, places, extra)
    if verify:
        with target.open("rb") as new:
            verify_copy(new, places, extra, sums)


def rewrite(
    source: BinaryIO, target: BinaryIO, places: list[RowEdit], extra: dict[str, NDArray[np.uint8]]
) -> Sums:
    """Write a copy of a file with emptied items.

    Args:
        source: Open for reading.
        target: Open for writing, empty.
        places: Which items of which matrices are emptied.
        extra: (n,) vectors added at the end, in place of those of the same name.

    Returns:
        What `verify` needs: for every element CRC-32 of its emptied items and of the rest.
    """
    order, matrices = scan(source)
    by_key = {place.key: place for place in places}
    source.seek(0)
    header = source.read(HEADER_BYTES)
    target.write(header)
    moved = {}
    sums: Sums = []
    for matrix in matrices:
        if matrix.name in extra:
            continue
        moved[matrix.start] = target.tell()
        place = by_key.get(matrix.name)
        if place is None:
            sums.append((0, _copy(source, target, matrix)))
        elif matrix.is_sparse:
            sums.append(_rewrite_sparse(source, target, order, matrix, place))
        else:
            sums.append(_rewrite_dense(source, target, order, matrix, place))
    for name, values in extra.items():
        head = Matrix(name, 0, 0, compressed=False, flags=UINT8_CLASS, shape=(len(values), 1))
        _write_matrix(target, order, head, [(UINT8, len(values), [values.tobytes()])])
        sums.append((0, zlib.crc32(values.tobytes())))
    (subsystem,) = struct.unpack_from(order + "Q", header, 116)
    if subsystem in moved:  # MATLAB keeps the values of its objects in an element that the header points to
        target.seek(116)
        target.write(struct.pack(order + "Q", moved[subsystem]))
    return sums


def verify_copy(
    target: BinaryIO, places: list[RowEdit], extra: dict[str, NDArray[np.uint8]], sums: Sums
) -> None:
    """Read the finished copy again and compare it with what was written.

    Args:
        target: Open for reading.
        places: As given to `rewrite`.
        extra: As given to `rewrite`.
        sums: What `rewrite` returned.

    Raises:
        OSError: If anything differs.
    """
    order, matrices = scan(target)
    present = {place.key: place for place in places}
    found: Sums = []
    for matrix in matrices:
        place = present.get(matrix.name)
        if place is not None and not matrix.is_sparse:
            found.append(_sum(_blocks(_open(target, order, matrix), matrix.shape, place.axis), place))
        elif place is not None or matrix.name in extra:
            stream = Stream(target, matrix)
            _read_head(stream, order, matrix)
            parts = [_read_part(stream, order)[1] for _ in range(3 if matrix.is_sparse else 1)]
            found.append((0, zlib.crc32(b"".join(parts))))
        else:
            found.append((0, _copy(target, None, matrix)))
    if found != sums:
        raise OSError("the written file differs from what it should be; the target was not replaced")


def digest_items(path: Path, place: RowEdit) -> tuple[str, str] | None:
    """SHA-256 of the values of the emptied and of the other items; None for a sparse matrix.

    Args:
        path: The finished copy.
        place: Which items are emptied.

    Returns:
        Both digests, over the values as stored, in column order.
    """
    touched, untouched = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        order, matrices = scan(file)
        matrix = next(matrix for matrix in matrices if matrix.name == place.key)
        if matrix.is_sparse:
            return None
        for _, items, block in _blocks(_open(file, order, matrix), matrix.shape, place.axis):
            here = ~place.present[items]
            touched.update(block[:, here].tobytes())
            untouched.update(block[:, ~here].tobytes())
    return touched.hexdigest(), untouched.hexdigest()


def write_matrices(path: Path, matrices: dict[str, tuple[Any, NDArray[np.bool_]]]) -> None:
    """Write a new file of dense matrices with emptied rows.

    Args:
        path: The file.
        matrices: By name (n, d) values and the (n,) rows that are not emptied.

    Raises:
        ValueError: If a type has no place in a MATLAB 5 file.
    """
    with path.open("wb") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by cmh-unpair".ljust(116) + bytes(8) + b"\x00\x01IM")
        for name, (array, present) in matrices.items():
            dtype = np.dtype(np.uint8 if array.dtype == bool else array.dtype).newbyteorder("<")
            stored = {code: kind for kind, code in STORED.items()}.get(dtype.str[1:])
            if stored is None:
                raise ValueError(f"{name}: expected integers or floats of 4 or 8 bytes, got {array.dtype}")
            kind = next(kind for kind, full in FULL.items() if full == stored)
            head = Matrix(name, 0, 0, compressed=False, flags=kind, shape=tuple(array.shape))
            size = dtype.itemsize * int(np.prod(array.shape, dtype=np.int64))
            _write_matrix(file, "<", head, [(stored, size, _columns(array, present, dtype))])


def _columns(array: Any, present: NDArray[np.bool_], dtype: np.dtype[Any]) -> Iterator[bytes]:
    """The values of a matrix in column order, a few columns at a time."""
    step = max(1, BLOCK_BYTES // (dtype.itemsize * max(1, len(present))))
    for start in range(0, array.shape[1], step):
        block = np.array(array[:, start : start + step], dtype=dtype)
        block[~present] = 0
        yield block.tobytes(order="F")


def _rewrite_dense(
    source: BinaryIO, target: BinaryIO, order: str, matrix: Matrix, place: RowEdit
) -> tuple[int, int]:
    """Write a dense matrix with emptied items, one more row or column as marker, or as integers."""
    stored = _stored(source, order, matrix)
    value = _mean(source, order, matrix, place) if place.mean else np.zeros(0)
    if place.integers:
        flags, stored = INT64_CLASS, INT64  # logical and global attributes fall away with the class
    else:
        flags = matrix.flags
        stored = FULL[matrix.kind] if place.mean else stored
    dtype = np.dtype(order + STORED[stored])
    shape = list(matrix.shape)
    if place.marker:
        shape[1 - place.axis] += 1
    emptied = ~place.present
    sums = [0, 0]

    def written() -> Iterator[bytes]:
        for outer, items, block in _blocks(_open(source, order, matrix), matrix.shape, place.axis):
            here = emptied[items]
            new = block.astype(dtype)
            new[:, here] = value[outer, None] if place.mean else 0
            if place.marker and place.axis == 1:
                column = np.broadcast_to(here[None, :, None], (*new.shape[:2], 1))
                new = np.concatenate([new, column.astype(dtype)], axis=2)
            yield add(new, here)
        if place.marker and place.axis == 0:
            yield add(emptied[None, :, None].astype(dtype), emptied)

    def add(block: NDArray[Any], here: NDArray[np.bool_]) -> bytes:
        sums[0] = zlib.crc32(block[:, here].tobytes(), sums[0])
        sums[1] = zlib.crc32(block[:, ~here].tobytes(), sums[1])
        return block.tobytes()

    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    head = replace(matrix, flags=flags, shape=tuple(shape))
    _write_matrix(target, order, head, [(stored, size, written())])
    return sums[0], sums[1]


def _rewrite_sparse(
    source: BinaryIO, target: BinaryIO, order: str, matrix: Matrix, place: RowEdit
) -> tuple[int, int]:
    """Write a sparse matrix without the entries of emptied items."""
    stream = Stream(source, matrix)
    _read_head(stream, order, matrix)
    parts = [_read_part(stream, order) for _ in range(3)]
    rows, starts, data = (np.frombuffer(values, dtype=order + STORED[kind]) for kind, values in parts)
    columns = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    count = int(starts[-1])  # there may be room for more entries than are used
    keep = place.present[rows[:count] if place.axis == 0 else columns]
    used = np.bincount(columns[keep], minlength=len(starts) - 1)
    new_starts = np.concatenate([[0], np.cumsum(used)]).astype(starts.dtype)
    new = [values.tobytes() for values in (rows[:count][keep], new_starts, data[:count][keep])]
    _write_matrix(
        target,
        order,
        replace(matrix, n_max=max(1, int(keep.sum()))),
        [(kind, len(values), [values]) for (kind, _), values in zip(parts, new, strict=True)],
    )
    return 0, zlib.crc32(b"".join(new))


def _read_element(file: BinaryIO, order: str, start: int, end: int) -> Matrix:
    """Name, class and dimensions of the element that starts at a byte."""
    file.seek(start)
    kind, size = struct.unpack(order + "II", file.read(8))
    element = Matrix(name="", start=start, stop=start + 8 + size, compressed=kind == COMPRESSED)
    if element.stop > end:
        raise EOFError
    return _read_head(Stream(file, element), order, element) if kind in (MATRIX, COMPRESSED) else element


def _read_head(stream: Stream, order: str, matrix: Matrix) -> Matrix:
    """Read up to the values; elements that are no matrix of the usual form keep an empty name."""
    kind, _ = struct.unpack(order + "II", stream.read(8))
    if kind != MATRIX:
        return matrix
    flags, n_max = struct.unpack(order + "II", _read_part(stream, order)[1])
    if not 1 <= flags & 0xFF <= max(FULL):
        return matrix
    dimensions = _read_part(stream, order)[1]
    name = _read_part(stream, order)[1].decode("latin-1")
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    return replace(matrix, name=name, flags=flags, n_max=n_max, shape=shape)


def _read_tag(stream: Stream, order: str) -> tuple[int, int, int]:
    """Type, bytes and padding of a part; the bytes of a small part stand inside its tag."""
    tag = stream.read(8)
    kind, size = struct.unpack(order + "II", tag)
    if kind >> 16:
        stream.unread(tag[4:])
        return kind & 0xFFFF, kind >> 16, 4 - (kind >> 16)
    return kind, size, -size % 8


def _read_part(stream: Stream, order: str) -> tuple[int, bytes]:
    kind, size, padding = _read_tag(stream, order)
    return kind, stream.read(size + padding)[:size]


def _stored(file: BinaryIO, order: str, matrix: Matrix) -> int:
    """The type in which the values of a matrix are stored."""
    stream = Stream(file, matrix)
    _read_head(stream, order, matrix)
    return _read_tag(stream, order)[0]


def _open(file: BinaryIO, order: str, matrix: Matrix) -> tuple[Stream, np.dtype[Any]]:
    """A stream that stands before the values of a dense matrix, and their type."""
    stream = Stream(file, matrix)
    _read_head(stream, order, matrix)
    return stream, np.dtype(order + STORED[_read_tag(stream, order)[0]])


def _blocks(
    opened: tuple[Stream, np.dtype[Any]], shape: tuple[int, ...], axis: int
) -> Iterator[tuple[slice, slice, NDArray[Any]]]:
    """Read a matrix in blocks of bounded size.

    In column order a matrix is (outer, items, inner), where inner are the axes before that of the items.

    Yields:
        Slice of the outer axis, slice of the items, block (outer, items, inner).
    """
    stream, dtype = opened
    n = shape[axis]
    inner = int(np.prod(shape[:axis], dtype=np.int64))
    outer = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    item_bytes = max(1, inner * dtype.itemsize)
    items_at_once = max(1, min(n, BLOCK_BYTES // item_bytes))
    outer_at_once = max(1, BLOCK_BYTES // (item_bytes * n)) if items_at_once == n else 1
    for first in range(0, outer, outer_at_once):
        of_outer = slice(first, min(outer, first + outer_at_once))
        for item in range(0, n, items_at_once):
            items = slice(item, min(n, item + items_at_once))
            size = (of_outer.stop - of_outer.start, items.stop - items.start, inner)
            data = stream.read(int(np.prod(size, dtype=np.int64)) * dtype.itemsize)
            yield of_outer, items, np.frombuffer(data, dtype=dtype).reshape(size)


def _mean(source: BinaryIO, order: str, matrix: Matrix, place: RowEdit) -> NDArray[np.float64]:
    """(outer, inner) mean of the training items that are present, rounded for classes of integers."""
    averaged = place.averaged
    if not averaged.any():
        raise ValueError(
            f"fill: expected 'zero' because {place.key} keeps no item to take the mean of, got 'mean'"
        )
    inner = int(np.prod(matrix.shape[: place.axis], dtype=np.int64))
    total = np.zeros((int(np.prod(matrix.shape)) // matrix.shape[place.axis] // inner, inner))
    for outer, items, block in _blocks(_open(source, order, matrix), matrix.shape, place.axis):
        total[outer] += block[:, averaged[items]].sum(axis=1, dtype=np.float64)
    mean = total / np.count_nonzero(averaged)
    return mean if STORED[FULL[matrix.kind]].startswith("f") else np.rint(mean)


def _sum(blocks: Iterator[tuple[slice, slice, NDArray[Any]]], place: RowEdit) -> tuple[int, int]:
    touched, untouched = 0, 0
    for _, items, block in blocks:
        here = ~place.present[items]
        touched = zlib.crc32(block[:, here].tobytes(), touched)
        untouched = zlib.crc32(block[:, ~here].tobytes(), untouched)
    return touched, untouched


def _copy(source: BinaryIO, target: BinaryIO | None, matrix: Matrix) -> int:
    """Copy an element as it is; CRC-32 of its bytes."""
    source.seek(matrix.start)
    checksum = 0
    left = matrix.stop - matrix.start
    while left:
        data = source.read(min(BLOCK_BYTES, left))
        if target is not None:
            target.write(data)
        checksum = zlib.crc32(data, checksum)
        left -= len(data)
    return checksum


def _write_matrix(
    file: BinaryIO, order: str, matrix: Matrix, parts: list[tuple[int, int, Iterable[bytes]]]
) -> None:
    """Write a matrix, each part of its values given as stored type, bytes and the values themselves."""
    name = matrix.name.encode("latin-1")
    dimensions = struct.pack(f"{order}{len(matrix.shape)}i", *matrix.shape)
    flags = struct.pack(order + "II", matrix.flags, matrix.n_max)
    head: list[tuple[int, int, Iterable[bytes]]] = [
        (UINT32, len(flags), [flags]),
        (INT32, len(dimensions), [dimensions]),
        (INT8, len(name), [name]),
    ]
    total = sum(8 + size + -size % 8 for _, size, _ in head + parts)
    if total >= 2**32:
        raise ValueError(
            f"source: expected {matrix.name} to stay under 4 GB, the limit of MATLAB 5, got {total} bytes; "
            f"save it as MATLAB 7.3"
        )
    sink = Sink(file, order, compressed=matrix.compressed)
    sink.write(struct.pack(order + "II", MATRIX, total))
    for kind, size, values in head + parts:
        sink.write(struct.pack(order + "II", kind, size))
        for data in values:
            sink.write(data)
        sink.write(bytes(-size % 8))
    sink.close()
