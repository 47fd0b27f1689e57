"""Rewrite some matrices of a MATLAB 5 file in a stream; every other variable is copied byte for byte."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cmh_files.blocks import BLOCK_BYTES, Placement, Sums, blocks_of, edited_blocks, mean_item
from cmh_files.errors import DEFLATE_RATIO, CopyError, DataError
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
    STRUCT_CLASS,
    UINT8,
    UINT8_CLASS,
    UINT32,
)
from cmh_files.mat5.read import Reader
from cmh_files.sparse import kept_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes
    from cmh_files.row_edit import RowEdit

ElementSums = list[tuple[int, int]]


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
        DataError: the file ends too early or is damaged.
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
            raise DataError(
                f"the MATLAB 5 file is damaged or cut off at byte {start}; fetch or make it again."
            ) from None
        start = matrices[-1].stop
    return order, matrices


def list_arrays(path: Path) -> tuple[Shapes, dict[str, str]]:
    """List the real numeric matrices of a file, those in structs as `name/field`.

    Args:
        path: the file.

    Returns:
        Shapes by key, and of those that can only be removed the reason in words.
    """
    shapes: Shapes = {}
    limited: dict[str, str] = {}
    with path.open("rb") as file:
        order, matrices = scan(file)
        for matrix in matrices:
            if matrix.name and matrix.is_numeric and min(matrix.shape, default=-1) >= 0:
                shapes[matrix.name] = matrix.shape
                if matrix.is_sparse:
                    limited[matrix.name] = "a sparse matrix"
            elif matrix.name and matrix.kind == STRUCT_CLASS and prod(matrix.shape) == 1:
                for key, values in _struct_tables(matrix.name, _whole(file, order, matrix), order).items():
                    shapes[key], limited[key] = values.shape, "a field of a struct"
    return shapes, limited


def copy_edited(
    source: Path,
    target: Path,
    edits: Sequence[RowEdit],
    extra: Mapping[str, NDArray[np.uint8]],
    *,
    verify: bool,
) -> None:
    """Write a copy of a file with removed items.

    Args:
        source: the file.
        target: a new file.
        edits: which items of which arrays are removed.
        extra: `(n,)` vectors written beside the data.
        verify: read the copy again and compare it.

    Raises:
        CopyError: the copy differs from what it should be.
    """
    with source.open("rb") as old, target.open("wb") as new:
        sums = rewrite(old, new, edits, extra)
    if verify:
        with target.open("rb") as new:
            verify_copy(new, edits, extra, sums)


def rewrite(
    source: BinaryIO, target: BinaryIO, edits: Sequence[RowEdit], extra: Mapping[str, NDArray[np.uint8]]
) -> ElementSums:
    """Write a copy of a file with removed items.

    Args:
        source: open for reading.
        target: open for writing, empty.
        edits: which items of which matrices are removed.
        extra: `(n,)` vectors added at the end, in place of those of the same name.

    Returns:
        What `verify_copy` needs: for every element CRC-32 of its removed items and of the rest.
    """
    order, matrices = scan(source)
    by_name = _by_name(edits)
    source.seek(0)
    header = source.read(HEADER_BYTES)
    target.write(header)
    moved = {}
    sums: ElementSums = []
    for matrix in matrices:
        if matrix.name in extra:
            continue
        moved[matrix.start] = target.tell()
        asked = by_name.get(matrix.name, [])
        if not asked:
            sums.append((0, _copy(source, target, matrix)))
        elif matrix.kind == STRUCT_CLASS:
            sums.append(_rewrite_struct(source, target, order, matrix, asked))
        elif matrix.is_sparse:
            sums.append(_rewrite_sparse(source, target, order, matrix, asked[0]))
        else:
            sums.append(_rewrite_dense(source, target, order, matrix, asked[0]))
    for name, values in extra.items():
        head = Matrix(name, 0, 0, compressed=False, flags=UINT8_CLASS, shape=(len(values), 1))
        _write_matrix(target, order, head, [(UINT8, len(values), [values.tobytes()])])
        sums.append((0, zlib.crc32(values.tobytes())))
    (subsystem,) = struct.unpack_from(order + "Q", header, 116)
    if subsystem in moved:  # MATLAB keeps the values of its objects in an element that the header points to
        target.seek(116)
        target.write(struct.pack(order + "Q", moved[subsystem]))
    return sums


def _by_name(edits: Sequence[RowEdit]) -> dict[str, list[RowEdit]]:
    """Edits by the variable in which their array is."""
    found: dict[str, list[RowEdit]] = {}
    for edit in edits:
        found.setdefault(edit.key.split("/")[0], []).append(edit)
    return found


def verify_copy(
    target: BinaryIO, edits: Sequence[RowEdit], extra: Mapping[str, NDArray[np.uint8]], sums: ElementSums
) -> None:
    """Read the finished copy again and compare it with what was written.

    Args:
        target: open for reading.
        edits: as given to `rewrite`.
        extra: as given to `rewrite`.
        sums: what `rewrite` returned.

    Raises:
        CopyError: anything differs.
    """
    order, matrices = scan(target)
    by_name = _by_name(edits)
    found: ElementSums = []
    for matrix in matrices:
        asked = by_name.get(matrix.name, [])
        if asked and matrix.kind == STRUCT_CLASS:
            found.append((0, zlib.crc32(_whole(target, order, matrix))))
        elif asked and not matrix.is_sparse:
            found.append(_sums(target, order, matrix, asked[0]))
        elif asked or matrix.name in extra:
            stream = Stream(target, matrix)
            _read_head(stream, order, matrix)
            parts = [_read_part(stream, order)[1] for _ in range(3 if matrix.is_sparse else 1)]
            found.append((0, zlib.crc32(b"".join(parts))))
        else:
            found.append((0, _copy(target, None, matrix)))
    if found != sums:
        raise CopyError("the written file differs from what it should be; the target was not replaced")


def _sums(file: BinaryIO, order: str, matrix: Matrix, edit: RowEdit) -> tuple[int, int]:
    sums = Sums()
    for _, items, block in blocks_of(*_open(file, order, matrix), Placement.of(matrix.shape, edit.axis, "F")):
        sums.add(block, ~edit.present[items])
    return sums.pair


def digest_items(path: Path, edit: RowEdit) -> tuple[str, str] | None:
    """Compute SHA-256 of the values of the removed and of the other items.

    Args:
        path: the finished copy.
        edit: which items are removed.

    Returns:
        Both digests, over the values as stored, in column order; None for a sparse matrix.
    """
    removed, others = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        order, matrices = scan(file)
        matrix = next(matrix for matrix in matrices if matrix.name == edit.key.split("/")[0])
        if matrix.is_sparse:
            return None
        if matrix.kind == STRUCT_CLASS:
            values = _struct_tables(matrix.name, _whole(file, order, matrix), order)[edit.key]
            for digest, chosen in ((removed, ~edit.present), (others, edit.present)):
                digest.update(np.compress(chosen, values, axis=edit.axis).tobytes(order="F"))
            return removed.hexdigest(), others.hexdigest()
        placed = Placement.of(matrix.shape, edit.axis, "F")
        for _, items, block in blocks_of(*_open(file, order, matrix), placed):
            here = ~edit.present[items]
            removed.update(block[:, here].tobytes())
            others.update(block[:, ~here].tobytes())
    return removed.hexdigest(), others.hexdigest()


def write_matrices(path: Path, matrices: dict[str, tuple[Any, NDArray[np.bool_]]]) -> None:
    """Write a new file of dense matrices with removed rows.

    Args:
        path: The file.
        matrices: By name `(n, d)` values and the `(n,)` rows that are not removed.

    Raises:
        DataError: a type has no place in a MATLAB 5 file.
    """
    with path.open("wb") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by cmh-unpair".ljust(116) + bytes(8) + b"\x00\x01IM")
        for name, (array, present) in matrices.items():
            dtype = np.dtype(np.uint8 if array.dtype == bool else array.dtype).newbyteorder("<")
            stored = {code: kind for kind, code in STORED.items()}.get(dtype.str[1:])
            if stored is None:
                raise DataError(
                    f"{name} must hold integers or floats of 4 or 8 bytes, but it holds {array.dtype}."
                )
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
    source: BinaryIO, target: BinaryIO, order: str, matrix: Matrix, edit: RowEdit
) -> tuple[int, int]:
    """Write a dense matrix with removed items, one more row or column as marker, or as integers."""
    placed = Placement.of(matrix.shape, edit.axis, "F")
    value = None
    if edit.mean:
        blocks = blocks_of(*_open(source, order, matrix), placed)
        rounded = not STORED[FULL[matrix.kind]].startswith("f")
        value = mean_item(blocks, placed, edit, rounded=rounded)
    flags, stored = matrix.flags, _stored(source, order, matrix)
    if edit.integers:
        flags, stored = INT64_CLASS, INT64  # logical and global attributes fall away with the class
    elif edit.mean:
        stored = FULL[matrix.kind]
    dtype = np.dtype(order + STORED[stored])
    shape = list(matrix.shape)
    if edit.marker:
        shape[1 - edit.axis] += 1
    sums = Sums()
    blocks = blocks_of(*_open(source, order, matrix), placed)
    written = edited_blocks(blocks, placed, edit, dtype=dtype, value=value, sums=sums)
    head = replace(matrix, flags=flags, shape=tuple(shape))
    _write_matrix(target, order, head, [(stored, dtype.itemsize * prod(shape), written)])
    return sums.pair


def _rewrite_sparse(
    source: BinaryIO, target: BinaryIO, order: str, matrix: Matrix, edit: RowEdit
) -> tuple[int, int]:
    """Write a sparse matrix without the entries of removed items."""
    stream = Stream(source, matrix)
    _read_head(stream, order, matrix)
    parts = [_read_part(stream, order) for _ in range(3)]
    rows, starts, data = (np.frombuffer(values, dtype=order + STORED[kind]) for kind, values in parts)
    # There may be room for more entries than are used.
    keep, new_starts = kept_entries(
        matrix.name, starts=starts, inside=rows, present=edit.present, by_start=edit.axis == 1
    )
    if len(data) < len(keep):
        raise EOFError
    left = (rows[: len(keep)][keep], new_starts.astype(starts.dtype), data[: len(keep)][keep])
    new = [values.tobytes() for values in left]
    _write_matrix(
        target,
        order,
        replace(matrix, n_max=max(1, int(keep.sum()))),
        [(kind, len(values), [values]) for (kind, _), values in zip(parts, new, strict=True)],
    )
    return 0, zlib.crc32(b"".join(new))


def _rewrite_struct(
    source: BinaryIO, target: BinaryIO, order: str, matrix: Matrix, edits: Sequence[RowEdit]
) -> tuple[int, int]:
    """Write a struct with removed items of its fields, whose places and sizes stay."""
    content = _whole(source, order, matrix)
    tables = _struct_tables(matrix.name, content, order)
    for edit in edits:
        np.moveaxis(tables[edit.key], edit.axis, 0)[~edit.present] = 0
    sink = Sink(target, order, compressed=matrix.compressed)
    sink.write(bytes(content))
    sink.close()
    return 0, zlib.crc32(content)


def _whole(file: BinaryIO, order: str, matrix: Matrix) -> bytearray:
    """An element unpacked, its tag in front."""
    stream = Stream(file, matrix)
    tag = stream.read(8)
    kind, size = struct.unpack(order + "II", tag)
    if kind != MATRIX or size > DEFLATE_RATIO * (matrix.stop - matrix.start):
        raise EOFError
    return bytearray(tag + stream.read(size))


def _struct_tables(name: str, content: bytearray, order: str) -> dict[str, NDArray[Any]]:
    """The dense tables of real numbers in a struct, as they lie in its bytes: changing one changes these."""
    buffer = np.frombuffer(content, np.uint8)
    tables = Reader(order).tables(name, memoryview(content)[8:])
    return {key: values for key, values in tables if np.shares_memory(values, buffer)}


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


def _open(file: BinaryIO, order: str, matrix: Matrix) -> tuple[Callable[[int], bytes], np.dtype[Any]]:
    """What reads on from before the values of a dense matrix, and their type."""
    stream = Stream(file, matrix)
    _read_head(stream, order, matrix)
    kind, size, _ = _read_tag(stream, order)
    dtype = np.dtype(order + STORED[kind])
    if size != dtype.itemsize * prod(matrix.shape):
        raise EOFError
    return stream.read, dtype


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
        raise DataError(
            f"{matrix.name} must stay under 4 GB, the limit of MATLAB 5, but it takes {total} bytes; "
            "save it as MATLAB 7.3."
        )
    sink = Sink(file, order, compressed=matrix.compressed)
    sink.write(struct.pack(order + "II", MATRIX, total))
    for kind, size, values in head + parts:
        sink.write(struct.pack(order + "II", kind, size))
        for data in values:
            sink.write(data)
        sink.write(bytes(-size % 8))
    sink.close()
