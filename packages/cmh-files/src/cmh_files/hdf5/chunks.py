"""Where the chunks and rows of an HDF5 array lie in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredChunk(NamedTuple):
    """Where a chunk lies in the file, and which filters it was stored without."""

    start: int
    size: int
    filter_mask: int


def stored_chunks(dataset: h5py.Dataset) -> dict[tuple[int, ...], StoredChunk]:
    """List the chunks of an array that were ever written.

    Args:
        dataset: an array in chunks.

    Returns:
        By the place of a chunk's first value.
    """
    # HDF5 before 1.14.4 gives offsets without the block that may stand in front of a file.
    shift = dataset.file.userblock_size if h5py.version.hdf5_version_tuple < (1, 14, 4) else 0
    found: dict[tuple[int, ...], StoredChunk] = {}

    def note(chunk: Any) -> None:
        found[chunk.chunk_offset] = StoredChunk(chunk.byte_offset + shift, chunk.size, chunk.filter_mask)

    dataset.id.chunk_iter(note)
    return found


def row_starts(dataset: h5py.Dataset) -> NDArray[np.int64] | None:
    """Find where each row of an array begins in its file.

    Args:
        dataset: the array; its rows lie along the first axis.

    Returns:
        `(n,)` int64 offsets; None where rows are compressed, in pieces, or not all there.
    """
    n, row_bytes = dataset.shape[0], int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
    if dataset.chunks is None:
        start = dataset.id.get_offset()
        return None if start is None else start + row_bytes * np.arange(n, dtype=np.int64)
    if dataset.id.get_create_plist().get_nfilters() > 0 or dataset.chunks[1:] != dataset.shape[1:]:
        return None
    per_chunk = dataset.chunks[0]
    starts = np.full(-(-n // per_chunk), -1, np.int64)
    for (first, *_), chunk in stored_chunks(dataset).items():
        place = first // per_chunk
        if place < len(starts) and chunk.start < 2**62:  # a damaged index can say anything
            starts[place] = chunk.start
    if (starts < 0).any():
        return None
    inside = row_bytes * np.arange(per_chunk, dtype=np.int64)
    rows: NDArray[np.int64] = (starts[:, None] + inside).ravel()[:n]
    return rows
