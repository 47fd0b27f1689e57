"""Writing this package's own format: an HDF5 file in the plain layout with provenance and a digest."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from cmh_data._dataset import ContentDigest, row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_data._dataset import PairedDataset, RowArray

FORMAT = "cmh-data"
FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 18


def save(dataset: PairedDataset, path: str | os.PathLike[str]) -> Path:
    """Write a data set to one HDF5 file that `load` reads back with the same values and the same digest.

    Rows stream through in blocks, so that data larger than memory passes. They are compressed in chunks of a
    few rows where that helps, and otherwise lie one after the other, to be read at the speed of the disk.
    Float32 features that are all half-precision numbers are stored as such; `load` widens them again. The
    file appears under its name only when it is complete.

    Args:
        dataset: what to write.
        path: the file to make; its folder must exist. A file that is there is replaced.

    Returns:
        The path written.

    Raises:
        ValueError: the folder does not exist.

    Example:
        >>> import cmh_data, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = cmh_data.save(cmh_data.sample(), folder.name + "/emoji.h5")
        >>> cmh_data.load(path).digest == cmh_data.sample().digest
        True
        >>> folder.cleanup()
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(
            f"{path} cannot be written because the folder {path.parent} does not exist; make it first."
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # Times are left out, so that the same data set always gives the same bytes.
        with h5py.File(unfinished, "w", track_order=False) as file:
            _write(file, dataset)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _write(file: h5py.File, dataset: PairedDataset) -> None:
    digest = ContentDigest()
    for name, array in dataset.arrays():
        _write_rows(file, "labels" if name == "label" else name, array, digest)
    for name in ("train", "query", "retrieval"):
        file.create_dataset(name, data=getattr(dataset.split, name), track_times=False)
    names: dict[str, Any] = {
        "ids": dataset.ids,
        "label_names": dataset.label_names,
        "text_vocabulary": dataset.text_vocabulary,
        "fine_labels": () if dataset.fine_labels is None else tuple(dataset.fine_labels.tolist()),
    }
    for name, values in names.items():
        if values:
            encoded = np.array([value.encode() for value in values], dtype=np.bytes_)
            utf8 = h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize))
            file.create_dataset(name, data=encoded.astype(utf8), compression="gzip", track_times=False)
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["name"] = dataset.name
    file.attrs["provenance"] = json.dumps(dict(dataset.provenance), ensure_ascii=False, sort_keys=True)
    file.attrs["digest"] = digest.finish(dataset)
    if dataset.provenance.get("simulated"):
        file.attrs["simulated"] = 1


def _write_rows(file: h5py.File, name: str, array: RowArray, digest: ContentDigest) -> None:
    shape = tuple(int(size) for size in array.shape)
    dtype = np.dtype(np.float16) if _is_half(array) else array.dtype.newbyteorder("<")
    row_bytes = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
    chunk_rows = min(shape[0], max(1, CHUNK_BYTES // row_bytes))
    first = np.ascontiguousarray(array[0:chunk_rows], dtype=dtype)
    layout: dict[str, Any] = {}
    if _shrinks(first):
        chunks = (chunk_rows, *shape[1:])
        layout = {"chunks": chunks, "compression": "gzip", "compression_opts": 4, "shuffle": True}
    item = file.create_dataset(name, shape, dtype, track_times=False, **layout)
    digest.start("label" if name == "labels" else name, array)
    start = 0
    for block in row_blocks(array):
        digest.update(block)
        item[start : start + len(block)] = block
        start += len(block)


def _shrinks(chunk: NDArray[Any]) -> bool:
    """Whether compression takes off at least an eighth of a chunk; noise and photographs lose little."""
    shuffled = chunk.view(np.uint8).reshape(-1, chunk.dtype.itemsize).T.tobytes()
    return len(zlib.compress(shuffled, 1)) < 7 * len(shuffled) // 8


def _is_half(array: RowArray) -> bool:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        return False
    with np.errstate(over="ignore"):
        return all(bool((block.astype(np.float16) == block).all()) for block in row_blocks(array))
