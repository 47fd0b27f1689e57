"""Writing this package's own format: an HDF5 file in the plain layout with provenance and a digest."""

from __future__ import annotations

import json
import os
import threading
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from cmh_files import atomic_write

from cmh_data._dataset.dataset import ContentDigest, row_blocks
from cmh_data._dataset.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import PairedDataset, RowArray

FORMAT = "cmh-data"
FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 18
BLOCK_BYTES = 1 << 20  # small enough to stay in a core's cache between reading, turning and writing
COMPRESSION = 4


def save(dataset: PairedDataset, path: str | os.PathLike[str]) -> Path:
    """Write a data set to one HDF5 file that `load` reads back with the same values and the same digest.

    Rows stream through in blocks, so that data larger than memory passes; a few threads read, compress and
    write them. They are compressed in chunks of a few rows where that halves them, and otherwise lie one
    after the other, to be read at the speed of the disk. Float32 features that are all half-precision numbers
    are stored as such; `load` widens them again. The file appears under its name only when it is complete and
    on the disk.

    Args:
        dataset: what to write. Rows of its own array types must be readable from several threads.
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
    # Times are left out, so that the same data set always gives the same bytes.
    with (
        atomic_write(path) as unfinished,
        h5py.File(unfinished, "w", track_order=False) as file,
        _flushed(unfinished),
    ):
        _write(file, dataset)
    return path


def _write(file: h5py.File, dataset: PairedDataset) -> None:
    digest = ContentDigest()
    for name, array in dataset.arrays():
        _write_rows(file, "labels" if name == "label" else name, array, digest)
    for name in ("train", "query", "retrieval"):
        file.create_dataset(name, data=getattr(dataset.split, name), track_times=False)
    for name in ("image_present", "text_present"):
        mask = getattr(dataset, name)
        if not mask.all():
            file.create_dataset(name, data=mask.astype(np.uint8), track_times=False)
    names: dict[str, Any] = {
        "ids": dataset.ids,
        "captions": dataset.captions,
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
    if len(dataset.image.shape) == 4:
        file.attrs["rows_digest"] = (
            dataset.sampled_digest()
        )  # what `load` compares without reading all pixels
    if not dataset.label.any(axis=1).all():
        file.attrs["unlabelled"] = "keep"  # such rows were kept on purpose
    if dataset.provenance.get("simulated"):
        file.attrs["simulated"] = 1


@contextmanager
def _flushed(path: Path) -> Iterator[None]:
    """Have what is written go to the disk meanwhile, so that little is left to wait for at the end."""
    done = threading.Event()

    def flush() -> None:
        with path.open("r+b") as file:
            while not done.wait(0.05):
                os.fsync(file.fileno())

    flusher = threading.Thread(target=flush)
    flusher.start()
    try:
        yield
    finally:
        done.set()
        flusher.join()


def _write_rows(file: h5py.File, name: str, array: RowArray, digest: ContentDigest) -> None:
    shape = tuple(int(size) for size in array.shape)
    dtype = np.dtype(np.float16) if _is_half(array) else array.dtype.newbyteorder("<")
    row_bytes = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
    chunk_rows = min(shape[0], max(1, CHUNK_BYTES // row_bytes))
    digest.start("label" if name == "labels" else name, array)
    if 0 in shape:  # no label columns
        file.create_dataset(name, shape, dtype, track_times=False)
        return
    if len(_compress(np.ascontiguousarray(array[0:chunk_rows], dtype))) < chunk_rows * row_bytes // 2:
        _write_chunks(file, name, array, digest, dtype=dtype, chunk_rows=chunk_rows)
    else:
        block_rows = max(1, BLOCK_BYTES // row_bytes)
        _write_plain(file, name, array, digest, dtype=dtype, block_rows=block_rows)


def _write_chunks(
    file: h5py.File,
    name: str,
    array: RowArray,
    digest: ContentDigest,
    *,
    dtype: np.dtype[Any],
    chunk_rows: int,
) -> None:
    """Write compressed chunks of whole rows; HDF5's own filter would compress them in one thread."""
    chunk = (chunk_rows, *array.shape[1:])
    item = file.create_dataset(
        name, array.shape, dtype, chunks=chunk, compression="gzip", compression_opts=COMPRESSION,
        shuffle=True, track_times=False,
    )  # fmt: skip

    def prepare(start: int) -> tuple[int, bytes, NDArray[Any]]:
        block = np.asarray(array[start : start + chunk_rows])
        whole = np.zeros(chunk, dtype)
        whole[: len(block)] = block
        return start, _compress(whole), digest.reduce(block)

    for start, content, reduced in ordered_map(prepare, range(0, array.shape[0], chunk_rows)):
        item.id.write_direct_chunk((start,) + (0,) * (len(chunk) - 1), content)
        digest.update(reduced)


def _write_plain(
    file: h5py.File,
    name: str,
    array: RowArray,
    digest: ContentDigest,
    *,
    dtype: np.dtype[Any],
    block_rows: int,
) -> None:
    """Write rows one after the other, straight to their place in the file."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)  # the place must be known before the first row comes
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    item = file.create_dataset(name, array.shape, dtype, dcpl=early, track_times=False)
    file.flush()
    start_of_rows = item.id.get_offset()
    row_bytes = int(np.prod(item.shape[1:])) * dtype.itemsize
    with Path(file.filename).open("r+b") as out:

        def transfer(start: int) -> NDArray[Any]:
            block = np.asarray(array[start : start + block_rows])
            values = np.ascontiguousarray(block, dtype)
            if start_of_rows is None or not hasattr(os, "pwrite"):  # Windows
                item[start : start + len(block)] = values
            else:
                _write_at(
                    out.fileno(),
                    values.reshape(-1).view(np.uint8).data,
                    start_of_rows + start * row_bytes,
                )
            return digest.reduce(block)

        for reduced in ordered_map(transfer, range(0, array.shape[0], block_rows)):
            digest.update(reduced)


def _write_at(descriptor: int, content: memoryview, place: int) -> None:
    while content:
        count = os.pwrite(descriptor, content, place)
        content, place = content[count:], place + count


def _compress(chunk: NDArray[Any]) -> bytes:
    """What HDF5's filters shuffle and gzip make: first the first bytes of all values, and so on."""
    shuffled = chunk.reshape(-1).view(np.uint8).reshape(-1, chunk.dtype.itemsize).T.tobytes()
    return zlib.compress(shuffled, COMPRESSION)


def _is_half(array: RowArray) -> bool:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        return False
    with np.errstate(over="ignore"):
        return all(bool((block.astype(np.float16) == block).all()) for block in row_blocks(array))
