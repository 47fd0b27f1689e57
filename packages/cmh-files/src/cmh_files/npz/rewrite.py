"""Empty items of the arrays of an `.npz` file; every other member is copied as it is.

A sparse table of rows, as `scipy.sparse.save_npz` writes it or as the members `indptr, indices, shape`,
counts as one array of the name `indptr`.
"""

from __future__ import annotations

import hashlib
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_files.blocks import Placement, Sums, blocks_of, edited_blocks, mean_item
from cmh_files.errors import CopyError, DataError, check_declared_size
from cmh_files.npz.read import read_npy_header, read_npy_stream
from cmh_files.sparse import kept_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes
    from cmh_files.row_edit import RowEdit

SPARSE_PARTS = ("indptr", "indices", "shape")
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Header:
    """What stands in front of the values of one member."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]


def list_arrays(path: Path) -> tuple[Shapes, dict[str, str]]:
    """List the arrays of numbers of a file.

    Args:
        path: the file.

    Returns:
        Shapes by key, and of those that can only be removed the reason in words.

    Raises:
        DataError: a member holds Python objects or declares more than it holds, or stands there twice.
    """
    shapes: Shapes = {}
    with zipfile.ZipFile(path) as archive:
        headers = dict(_headers(path, archive))
        for key, header in headers.items():
            if header.dtype.kind in "biuf" and header.shape:
                shapes[key] = header.shape
        if set(SPARSE_PARTS) <= set(headers):
            shape = _read(path, archive, "shape").ravel()
            if len(shape) != 2:
                raise DataError(f"{path}: shape must hold two numbers, but it holds {len(shape)}.")
            shapes["indptr"] = (int(shape[0]), int(shape[1]))
    sparse = {"indptr": "a sparse table"} if len(shapes.get("indptr", ())) == 2 else {}
    return shapes, sparse


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
        extra: `(n,)` vectors added at the end, in place of those of the same name.
        verify: read the copy again and compare it.

    Raises:
        CopyError: the copy differs from what it should be.
    """
    by_key = {edit.key: edit for edit in edits}
    expected: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        replaced = _sparse_left(source, old, by_key.get("indptr")) if _is_sparse(old, by_key) else {}
        for info in old.infolist():
            key = info.filename.removesuffix(".npy")
            if key in extra:
                continue
            with _member(new, info.filename, info.compress_type) as out:
                if key in replaced:
                    np.lib.format.write_array(out, replaced[key], allow_pickle=False)
                elif key in by_key:
                    expected[key] = _rewrite(source, old, info, out, by_key[key])
                else:
                    _copy(old, info, out)
        for key, values in extra.items():
            with _member(new, f"{key}.npy", zipfile.ZIP_DEFLATED) as out:
                np.lib.format.write_array(out, values, allow_pickle=False)
    if verify:
        _verify(source, target, by_key, expected, {**extra, **replaced})


def digest_items(path: Path, edit: RowEdit) -> tuple[str, str] | None:
    """Compute SHA-256 of the values of the removed and of the other items.

    Args:
        path: the finished copy.
        edit: which items are removed.

    Returns:
        Both digests, over the values in the order in which they are stored; None for a sparse table.
    """
    removed, others = hashlib.sha256(), hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        if _is_sparse(archive, {edit.key: edit}):
            return None
        with archive.open(f"{edit.key}.npy") as stream:
            header = _header(path, edit.key, archive.getinfo(f"{edit.key}.npy"), stream)
            for _, items, block in blocks_of(_reader(stream), header.dtype, _placed(header, edit)):
                here = ~edit.present[items]
                removed.update(block[:, here].tobytes())
                others.update(block[:, ~here].tobytes())
    return removed.hexdigest(), others.hexdigest()


def _headers(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, Header]]:
    seen = set()
    for info in archive.infolist():
        if info.filename in seen:
            raise DataError(f"{path} holds {info.filename} twice; save every array once.")
        seen.add(info.filename)
        if info.filename.endswith(".npy"):
            key = info.filename.removesuffix(".npy")
            with archive.open(info) as stream:
                yield key, _header(path, key, info, stream)


def _header(path: Path, key: str, info: zipfile.ZipInfo, stream: Any) -> Header:
    shape, fortran_order, dtype = read_npy_header(path, key, stream)
    declared = prod(shape) * dtype.itemsize
    check_declared_size(path, key, declared, info.compress_size)
    if declared > info.file_size:
        raise DataError(f"{path} is truncated: {key} declares {declared} bytes but holds {info.file_size}.")
    return Header(shape, "F" if fortran_order else "C", dtype)


def _placed(header: Header, edit: RowEdit) -> Placement:
    return Placement.of(header.shape, edit.axis, header.order)


def _reader(stream: Any) -> Any:
    def read(count: int) -> bytes:
        data = bytes(stream.read(count))
        if len(data) < count:
            raise EOFError("a member ends before its values")
        return data

    return read


def _read(path: Path, archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as stream:
        return read_npy_stream(path, key, stream, available=info.file_size, stored=info.compress_size)


def _is_sparse(archive: zipfile.ZipFile, by_key: Mapping[str, RowEdit]) -> bool:
    names = archive.namelist()
    return "indptr" in by_key and all(f"{part}.npy" in names for part in SPARSE_PARTS)


def _sparse_left(path: Path, archive: zipfile.ZipFile, edit: RowEdit | None) -> dict[str, NDArray[Any]]:
    """The members of a sparse table without the entries of removed rows."""
    assert edit is not None
    starts, columns = _read(path, archive, "indptr").ravel(), _read(path, archive, "indices").ravel()
    keep, new_starts = kept_entries(
        f"{path}: indptr", starts=starts, inside=columns, present=edit.present, by_start=edit.axis == 0
    )
    left = {"indptr": new_starts.astype(starts.dtype), "indices": columns[: len(keep)][keep]}
    for name in ("data", "values"):
        if f"{name}.npy" in archive.namelist():
            values = _read(path, archive, name).ravel()
            if len(values) < len(keep):
                raise DataError(
                    f"{path} holds {len(values)} {name} for {len(keep)} entries of its sparse table."
                )
            left[name] = values[: len(keep)][keep]
    return left


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, compress_type: int) -> Iterator[Any]:
    info = zipfile.ZipInfo(name)  # its date is fixed, so that the same content gives the same bytes
    info.compress_type = compress_type
    with archive.open(info, "w", force_zip64=True) as out:
        yield out


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, out: Any) -> None:
    with archive.open(info) as stream:
        while data := stream.read(COPY_BYTES):
            out.write(data)


def _rewrite(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, out: Any, edit: RowEdit
) -> tuple[int, int]:
    with archive.open(info) as stream:
        header = _header(path, edit.key, info, stream)
        placed = _placed(header, edit)
        value = None
        if edit.mean:
            with archive.open(info) as again:
                _header(path, edit.key, info, again)
                blocks = blocks_of(_reader(again), header.dtype, placed)
                value = mean_item(blocks, placed, edit, rounded=header.dtype.kind != "f")
        dtype = np.dtype(np.int64) if edit.integers else header.dtype
        shape = list(header.shape)
        if edit.marker:
            shape[1 - edit.axis] += 1
        description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": header.order == "F"}
        np.lib.format.write_array_header_2_0(out, description | {"shape": tuple(shape)})
        sums = Sums()
        blocks = blocks_of(_reader(stream), header.dtype, placed)
        for data in edited_blocks(blocks, placed, edit, dtype=dtype, value=value, sums=sums):
            out.write(data)
    return sums.pair


def _verify(
    source: Path,
    target: Path,
    by_key: Mapping[str, RowEdit],
    expected: Mapping[str, tuple[int, int]],
    written: Mapping[str, NDArray[Any]],
) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target) as new:
        names = {info.filename for info in old.infolist()} | {f"{key}.npy" for key in written}
        same = names == set(new.namelist())
        for info in new.infolist() if same else ():
            key = info.filename.removesuffix(".npy")
            if key in written:
                same &= bool(np.array_equal(_read(target, new, key), written[key]))
            elif key in expected:
                same &= _sums(target, new, info, by_key[key]) == expected[key]
            else:
                same &= info.CRC == old.getinfo(info.filename).CRC and _is_whole(new, info)
    if not same:
        raise CopyError("the written file differs from what it should be; the target was not replaced")


def _sums(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, edit: RowEdit) -> tuple[int, int]:
    with archive.open(info) as stream:
        header = _header(path, edit.key, info, stream)
        sums = Sums()
        for _, items, block in blocks_of(_reader(stream), header.dtype, _placed(header, edit)):
            sums.add(block, ~edit.present[items])
    return sums.pair


def _is_whole(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Read a member to its end, where its CRC-32 is compared."""
    try:
        with archive.open(info) as stream:
            while stream.read(COPY_BYTES):
                pass
    except zipfile.BadZipFile:
        return False
    return True
