"""Empty items of the arrays of an HDF5 or MATLAB 7.3 file, of which a copy is changed in edit.

Arrays without a filter whose items lie along the first axis are removed while the file is copied, without
reading what is removed. Of the others only those chunks are decompressed that hold removed items and others;
a chunk of nothing but removed items is written as one compressed once.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_files.blocks import no_mean, require_finite
from cmh_files.errors import CopyError, DataError
from cmh_files.hdf5.chunks import stored_chunks
from cmh_files.hdf5.open import open_hdf5
from cmh_files.patched_copy import Patch, patched_copy, same_bytes
from cmh_files.sparse import kept_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_files.key_names import Shapes
    from cmh_files.row_edit import RowEdit

SLAB_BYTES = 16 * 2**20
LOOKED_AT = 100  # runs of removed items


def read_shapes(file: h5py.File) -> Shapes:
    """Shapes of all numeric arrays of the file by path; a MATLAB sparse matrix counts as one array."""
    shapes: Shapes = {}

    def visit(path: str, item: Any) -> None:
        parent = path.rpartition("/")[0]
        if path.startswith("#") or (parent and "MATLAB_sparse" in file[parent].attrs):
            return
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "buif" and item.ndim:
            shapes[path] = item.shape
        elif isinstance(item, h5py.Group) and "MATLAB_sparse" in item.attrs:
            # h5py shows MATLAB arrays with reversed axes
            shapes[path] = (len(item["jc"]) - 1, int(item.attrs["MATLAB_sparse"]))

    file.visititems(visit)
    return shapes


def list_arrays(path: Path) -> tuple[Shapes, dict[str, str]]:
    """List the arrays of numbers of a file.

    Args:
        path: the file.

    Returns:
        Shapes by key, and of those that can only be removed the reason in words.

    Raises:
        DataError: the file is damaged or reaches out of itself.
    """
    with open_hdf5(path) as file:
        shapes = read_shapes(file)
        return shapes, {key: "a sparse matrix" for key in shapes if is_sparse(file[key])}


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
        source: The file.
        target: A new file.
        edits: Which items of which arrays are removed.
        extra: `(n,)` vectors written beside the data.
        verify: Read the copy again and compare it.

    Raises:
        OSError: If the copy differs from what it should be.
    """
    values: dict[str, Any] = {}
    patches: dict[str, list[Patch]] = {}
    with open_hdf5(source) as file:
        for edit in edits:
            values[edit.key] = value = mean_item(file[edit.key], edit)
            found = find_patches(file[edit.key], edit, value)
            if found is not None:
                patches[edit.key] = found
    patched_copy(source, target, itertools.chain(*patches.values()), verify=verify)
    added = [8 * int(np.prod(_new_shape(edit), dtype=np.int64)) for edit in edits if is_recreated(edit)]
    _reserve_space(target, 2**20 + sum(map(len, extra.values())) + sum(added))
    with h5py.File(target, "r+") as file:
        for edit in edits:
            if edit.key not in patches:
                rewrite(file, edit, values[edit.key])
        write_extra(file, extra, matlab=file.userblock_size > 0)
        if "digest" in file.attrs:  # what a file of cmh-data says of its content, no longer true
            del file.attrs["digest"]
    if verify:
        with h5py.File(source, "r") as old, h5py.File(target, "r") as new:
            for key, expected in extra.items():
                _expect(np.array_equal(new[key][:].ravel(), expected), key)
            for edit in edits:
                check = verify_patched if edit.key in patches else verify_rewritten
                check(old, new, edit, values[edit.key])


def _reserve_space(path: Path, room: int) -> None:
    """Fail now if the disk has no room for what HDF5 will add: the library does not survive a full disk."""
    if not hasattr(os, "posix_fallocate"):  # only Linux and its like can ask
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        os.posix_fallocate(file.fileno(), size, room)
        file.truncate(size)


def digest_items(path: Path, edit: RowEdit) -> tuple[str, str] | None:
    """SHA-256 of the values of the removed and of the other items; None for a sparse matrix.

    Args:
        path: The finished copy.
        edit: Which items are removed.

    Returns:
        Both digests, over the values in the order in which h5py shows them.
    """
    touched, untouched = hashlib.sha256(), hashlib.sha256()
    with h5py.File(path, "r") as file:
        dataset = file[edit.key]
        if is_sparse(dataset):
            return None
        for slab in _slabs(dataset):
            here = ~edit.present[slab] if edit.axis == 0 else ~edit.present
            block = dataset[slab]
            touched.update(np.compress(here, block, axis=edit.axis).tobytes())
            untouched.update(np.compress(~here, block, axis=edit.axis).tobytes())
    return touched.hexdigest(), untouched.hexdigest()


def is_sparse(item: Any) -> bool:
    """Whether this is a MATLAB sparse matrix, which is a group of three arrays."""
    return isinstance(item, h5py.Group)


def is_recreated(edit: RowEdit) -> bool:
    """Whether the array changes its shape or type and so cannot be changed in edit."""
    return edit.marker or edit.integers


def mean_item(dataset: Any, edit: RowEdit) -> NDArray[Any] | None:
    """What an removed item holds, without the item axis: zeros or the mean; None for a sparse matrix."""
    if is_sparse(dataset):
        return None
    shape = tuple(size for axis, size in enumerate(dataset.shape) if axis != edit.axis)
    if not edit.mean:
        return np.zeros(shape, dtype=dataset.dtype)
    averaged = edit.averaged
    count = int(np.count_nonzero(averaged))
    if not count:
        raise no_mean(edit.key)
    total = np.zeros(shape, dtype=np.float64)
    with np.errstate(all="ignore"):  # what is not finite is refused below
        for slab in _slabs(dataset):
            block = dataset[slab]
            if edit.axis == 0:
                total += block[averaged[slab]].sum(axis=0, dtype=np.float64)
            else:
                part = block.compress(averaged, axis=edit.axis)
                total[slab] += part.sum(axis=edit.axis, dtype=np.float64)
    mean = total / count
    require_finite(edit.key, mean)
    return (mean if dataset.dtype.kind == "f" else np.rint(mean)).astype(dataset.dtype)


def find_patches(dataset: h5py.Dataset, edit: RowEdit, value: NDArray[Any] | None) -> list[Patch] | None:
    """Where the removed items lie in the file; None where they are not runs of plain bytes.

    Args:
        dataset: The array in the source.
        edit: Which items are removed.
        value: What an removed item holds; None for a sparse matrix.

    Returns:
        Disjoint patches.
    """
    if value is None or edit.axis != 0 or is_recreated(edit):
        return None
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        starts, length = ([offset] if offset is not None else []), len(dataset)
    else:
        if dataset.id.get_create_plist().get_nfilters() or dataset.chunks[1:] != dataset.shape[1:]:
            return None
        found = {first: chunk.start for (first, *_), chunk in stored_chunks(dataset).items()}
        length = dataset.chunks[0]
        starts = [found[first] for first in range(0, len(dataset), length) if first in found]
    if len(starts) * length < len(dataset):  # compact, or partly never written
        return None
    pattern = value.tobytes()
    patches = []
    for start, stop in _runs(~edit.present):
        first = start
        while first < stop:
            last = min(stop, (first // length + 1) * length)
            begin = starts[first // length] + (first % length) * len(pattern)
            patches.append(Patch(begin, pattern, last - first))
            first = last
    return patches


def rewrite(file: h5py.File, edit: RowEdit, value: NDArray[Any] | None) -> None:
    """Empty the items of one array of the copy.

    Args:
        file: The copy, writable.
        edit: Which items are removed.
        value: What an removed item holds; None for a sparse matrix.
    """
    if value is None:
        remove_from_sparse(file, edit)
    elif is_recreated(edit):
        recreate(file, edit, value)
    elif not edit.present.all():
        remove_in_place(file[edit.key], edit, value)


def remove_in_place(dataset: h5py.Dataset, edit: RowEdit, value: NDArray[Any]) -> None:
    """Empty items of an array of the copy, chunk by chunk.

    Args:
        dataset: The array, writable.
        edit: Which items are removed.
        value: What an removed item holds.
    """
    removed = ~edit.present
    blank = _blank_chunk(dataset) if _writes_blank_chunks(dataset, edit) else None
    for region in _regions(dataset):
        here = removed[region[edit.axis]]
        if not here.any():
            continue
        if blank and here.all():
            first = tuple(part.start for part in region)
            dataset.id.write_direct_chunk(first, blank.content, blank.filter_mask)
            continue
        block = dataset[region]
        others = tuple(part for axis, part in enumerate(region) if axis != edit.axis)
        np.moveaxis(block, edit.axis, 0)[here] = value[others]
        dataset[region] = block


def recreate(file: h5py.File, edit: RowEdit, value: NDArray[Any]) -> None:
    """Write an array of the copy anew, with a marker or as integers, keeping its storage and attributes.

    Args:
        file: The copy, writable.
        edit: Which items are removed.
        value: What an removed item holds.
    """
    kind = h5py.h5t.py_create(np.dtype(np.int64)) if edit.integers else file[edit.key].id.get_type()
    with _replacing(file, edit.key, shape=_new_shape(edit), kind=kind) as (old, new):
        if edit.integers and "MATLAB_class" in new.attrs:
            new.attrs["MATLAB_class"] = np.bytes_("int64")
        for region, block in _recreated(old, edit, value):
            new[region] = block


def remove_from_sparse(file: h5py.File, edit: RowEdit) -> None:
    """Remove the entries of removed items from a MATLAB sparse matrix.

    Args:
        file: The copy, writable.
        edit: Which items are removed.
    """
    group = file[edit.key]
    keep, starts = _sparse_left(group, edit)
    group["jc"][:] = starts
    for name in ("data", "ir"):
        kind = group[name].id.get_type()
        with _replacing(file, f"{edit.key}/{name}", shape=(int(starts[-1]),), kind=kind) as (old, new):
            new[:] = old[:][keep]


def verify_rewritten(source: h5py.File, target: h5py.File, edit: RowEdit, value: NDArray[Any] | None) -> None:
    """Read an array of the finished copy again and compare it with what it should be.

    Args:
        source: The source.
        target: The copy.
        edit: Which items are removed.
        value: What an removed item holds; None for a sparse matrix.

    Raises:
        OSError: If anything differs.
    """
    old, new = source[edit.key], target[edit.key]
    if value is None:
        keep, starts = _sparse_left(old, edit)
        _expect(np.array_equal(new["jc"][:], starts), edit.key)
        for name in ("data", "ir"):
            _expect(new[name][:].tobytes() == old[name][:][keep].tobytes(), edit.key)
    elif is_recreated(edit):
        for region, block in _recreated(old, edit, value):
            _expect(new[region].tobytes() == block.tobytes(), edit.key)
    elif old.chunks is not None:
        verify_chunks(old, new, edit, value)
    else:
        for region in _regions(old):
            _expect(_is_as_it_should(old, new, region, edit=edit, value=value), edit.key)


def verify_chunks(old: h5py.Dataset, new: h5py.Dataset, edit: RowEdit, value: NDArray[Any]) -> None:
    """Compare the chunks of an array of the finished copy: as stored where all or nothing was removed.

    Args:
        old: The array in the source.
        new: The array in the copy.
        edit: Which items are removed.
        value: What an removed item holds.

    Raises:
        OSError: If anything differs.
    """
    blank = _blank_chunk(old) if _writes_blank_chunks(old, edit) else None
    before, after = stored_chunks(old), stored_chunks(new)
    removed = ~edit.present
    same: list[tuple[int, int, int]] = []
    for region in _regions(old):
        here = removed[region[edit.axis]]
        first = tuple(part.start for part in region)
        if not here.any():
            if first not in before:
                _expect(first not in after, edit.key)
                continue
            _expect(first in after and before[first][1:] == after[first][1:], edit.key)
            same.append((before[first].start, after[first].start, before[first].size))
        elif blank and here.all():
            _expect(_stored_chunk(new, first) == blank, edit.key)
        else:
            _expect(_is_as_it_should(old, new, region, edit=edit, value=value), edit.key)
    _expect(same_bytes(Path(old.file.filename), Path(new.file.filename), _joined(same)), edit.key)


def _joined(ranges: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Ranges in the order of the first file, neighbours in both files made one."""
    whole = (0, 0, 0)
    for first, second, size in sorted(ranges):
        if first == whole[0] + whole[2] and second == whole[1] + whole[2]:
            whole = (whole[0], whole[1], whole[2] + size)
        else:
            yield whole
            whole = (first, second, size)
    yield whole


def _is_as_it_should(
    old: h5py.Dataset,
    new: h5py.Dataset,
    region: tuple[slice, ...],
    *,
    edit: RowEdit,
    value: NDArray[Any],
) -> bool:
    """Compare a region by value."""
    here = ~edit.present[region[edit.axis]]
    before, after = (np.moveaxis(dataset[region], edit.axis, 0) for dataset in (old, new))
    others = tuple(part for axis, part in enumerate(region) if axis != edit.axis)
    blank = np.broadcast_to(value[others], after[here].shape)
    removed = bool(after[here].tobytes() == blank.tobytes())
    return removed and bool(after[~here].tobytes() == before[~here].tobytes())


def verify_patched(source: h5py.File, target: h5py.File, edit: RowEdit, value: NDArray[Any] | None) -> None:
    """See through HDF5 that the patches, whose bytes were compared, lie where the removed items are.

    Of many runs of removed items some are looked at, evenly spread.

    Args:
        source: The source.
        target: The copy.
        edit: Which items are removed.
        value: What an removed item holds.

    Raises:
        OSError: If the first or last item of a run is not empty, or its neighbour is not as it was.
    """
    assert value is not None  # a sparse matrix is never patched
    old, new = source[edit.key], target[edit.key]
    runs = list(_runs(~edit.present))
    for start, stop in [*runs[:: max(1, len(runs) // LOOKED_AT)], *runs[-1:]]:
        for item in {start, stop - 1}:
            _expect(new[item].tobytes() == value.tobytes(), edit.key)
        for item in (start - 1, stop):
            if 0 <= item < edit.n:
                _expect(new[item].tobytes() == old[item].tobytes(), edit.key)


def write_extra(file: h5py.File, extra: Mapping[str, NDArray[np.uint8]], *, matlab: bool) -> None:
    """Write small vectors beside the data, in place of those of the same name.

    Args:
        file: The copy, writable.
        extra: `(n,)` vectors by key.
        matlab: Whether MATLAB should see columns of its class uint8.
    """
    for key, values in extra.items():
        if key in file:
            del file[key]
        dataset = file.create_dataset(key, data=values[None] if matlab else values)
        if matlab:
            dataset.attrs["MATLAB_class"] = np.bytes_("uint8")


def _expect(condition: bool, key: str) -> None:
    if not condition:
        raise CopyError(
            f"the written array {key} differs from what it should be; the target was not replaced"
        )


def _new_shape(edit: RowEdit) -> tuple[int, ...]:
    shape = list(edit.shape)
    if edit.marker:
        shape[1 - edit.axis] += 1
    return tuple(shape)


@contextmanager
def _replacing(
    file: h5py.File, key: str, *, shape: tuple[int, ...], kind: h5py.h5t.TypeID
) -> Iterator[tuple[h5py.Dataset, h5py.Dataset]]:
    """A new array with the storage and attributes of an old one, in whose place it is put at the end."""
    old = file[key]
    if old.chunks is None:
        space = h5py.h5s.create_simple(shape)
    else:  # a fixed axis must not be shorter than its chunk
        most = (
            h5py.h5s.UNLIMITED if limit is None else max(limit, size, chunk)
            for limit, size, chunk in zip(old.maxshape, shape, old.chunks, strict=True)
        )
        space = h5py.h5s.create_simple(shape, tuple(most))
    temporary = f"{key}.unpairing"
    storage = old.id.get_create_plist()
    if old.chunks is not None:
        storage.set_chunk(old.chunks)  # else the list keeps the item size of the old type
    new = h5py.Dataset(h5py.h5d.create(file.id, temporary.encode(), kind, space, storage))
    for name in old.attrs:
        attribute = old.attrs.get_id(name)
        values = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(values)
        h5py.h5a.create(new.id, name.encode(), attribute.get_type(), attribute.get_space()).write(values)
    yield old, new
    del file[key]
    file.move(temporary, key)


def _recreated(
    old: h5py.Dataset, edit: RowEdit, value: NDArray[Any]
) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """Blocks of an array as they should become: removed, cast, with a marker."""
    removed = ~edit.present
    dtype = np.dtype(np.int64) if edit.integers else old.dtype
    for slab in _slabs(old):
        block = old[slab]
        if edit.axis == 0:
            block[removed[slab]] = value
            if edit.marker:
                block = np.column_stack([block, removed[slab]])
        else:
            np.moveaxis(block, edit.axis, 0)[removed] = value[slab]
        if edit.integers and block.dtype.kind == "f":
            require_finite(edit.key, block)
        yield (slab,), block.astype(dtype)
    if edit.marker and edit.axis == 1:
        yield (slice(len(old), len(old) + 1),), removed[None].astype(dtype)


def _sparse_left(group: h5py.Group, edit: RowEdit) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which entries stay, and where every column then starts."""
    parts = {name: group[name][:].ravel() for name in ("data", "ir", "jc")}
    keep, starts = kept_entries(
        f"{edit.key}", starts=parts["jc"], inside=parts["ir"], present=edit.present, by_start=edit.axis == 0
    )
    if not len(parts["ir"]) == len(parts["data"]) == len(keep):
        raise DataError(
            f"{edit.key}: the parts of the sparse table do not fit each other; make the file again."
        )
    return keep, starts


@dataclass(frozen=True)
class Chunk:
    """A chunk as it lies in a file: its bytes, and which filters it was stored without."""

    content: bytes
    filter_mask: int


def _stored_chunk(dataset: h5py.Dataset, offset: tuple[int, ...]) -> Chunk | None:
    """A chunk as it lies in the file; None if it was never written."""
    if dataset.id.get_chunk_info_by_coord(offset).byte_offset is None:
        return None
    mask, content = dataset.id.read_direct_chunk(offset)
    return Chunk(bytes(content), int(mask))


def _writes_blank_chunks(dataset: h5py.Dataset, edit: RowEdit) -> bool:
    """Whether chunks without any item left are written as one compressed once."""
    return dataset.chunks is not None and dataset.id.get_create_plist().get_nfilters() > 0 and not edit.mean


def _blank_chunk(dataset: h5py.Dataset) -> Chunk | None:
    """A chunk of zeros as an array would store it."""
    with h5py.File("blank", "w", driver="core", backing_store=False) as file:
        space = h5py.h5s.create_simple(dataset.chunks)
        kind, storage = dataset.id.get_type(), dataset.id.get_create_plist()
        blank = h5py.Dataset(h5py.h5d.create(file.id, b"blank", kind, space, storage))
        blank[...] = 0
        file.flush()
        return _stored_chunk(blank, (0,) * dataset.ndim)


def _regions(dataset: h5py.Dataset) -> Iterator[tuple[slice, ...]]:
    """The chunks of an array, or slabs of one that has none."""
    if dataset.chunks is None:
        whole = tuple(slice(0, size) for size in dataset.shape[1:])
        for slab in _slabs(dataset):
            yield (slab, *whole)
        return
    parts = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(dataset.shape, dataset.chunks, strict=True)
    ]
    yield from itertools.product(*parts)


def _slabs(dataset: h5py.Dataset) -> Iterator[slice]:
    """Runs of the first axis of bounded size, each of whole chunks."""
    chunk = dataset.chunks[0] if dataset.chunks else 1
    row_bytes = max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64)))
    step = max(1, SLAB_BYTES // (row_bytes * chunk)) * chunk
    for start in range(0, len(dataset), step):
        yield slice(start, min(start + step, len(dataset)))


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and stop of every run of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.view(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
