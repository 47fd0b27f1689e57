"""Pixels on disk: read from their place or by HDF5, from one thread or several, always the same."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from cmh_files import DataError, Hdf5Rows
from cmh_files.hdf5.chunks import row_starts

N = 50
CHOICES = [
    3,
    -1,
    slice(2, 9),
    slice(None, None, -7),
    [7, 1, 7, -2],
    np.arange(N) % 3 == 0,
    slice(4, 4),
    [49, 0, 1, 2],
]
needs_direct = pytest.mark.skipif(not hasattr(os, "preadv"), reason="rows are read by HDF5 on this system")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (N, 3, 5, 7), dtype=np.uint8)


def write(path, pixels, **layout):
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("IAll", data=pixels, **layout)
    return path


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 1, 3, 2)])
@pytest.mark.parametrize(
    ("layout", "direct"),
    [
        ({}, True),
        ({"chunks": (1, 3, 5, 7)}, True),
        ({"chunks": (4, 3, 5, 7)}, True),  # the last chunk is not full
        ({"chunks": (4, 3, 5, 7), "compression": "gzip"}, False),
        ({"chunks": (4, 1, 5, 7)}, False),  # a row lies in several chunks
    ],
)
@needs_direct
def test_rows_of_every_storage(tmp_path, pixels, layout, direct, axes):
    rows = Hdf5Rows(write(tmp_path / "a.mat", pixels, **layout), "IAll", axes=axes)
    for choice in CHOICES:
        np.testing.assert_array_equal(rows[choice], pixels.transpose(axes)[choice])
    assert (rows._starts is not None) == direct
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows))[5], pixels.transpose(axes)[5])  # noqa: S301 - its own bytes


def test_rows_in_the_last_axis(tmp_path, pixels):
    rows = Hdf5Rows(write(tmp_path / "a.mat", pixels.transpose(2, 3, 1, 0)), "IAll", axes=(3, 2, 0, 1))
    np.testing.assert_array_equal(rows[[7, 1, 7]], pixels[[7, 1, 7]])


def test_rows_that_were_never_written_are_zero(tmp_path, pixels):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("IAll", pixels.shape, "u1", chunks=(1, 3, 5, 7))[:10] = pixels[:10]
    rows = Hdf5Rows(tmp_path / "a.h5", "IAll")
    np.testing.assert_array_equal(rows[:10], pixels[:10])
    assert not rows[10:].any()


def test_black_pictures_prove_no_place(tmp_path):
    rows = Hdf5Rows(write(tmp_path / "a.h5", np.zeros((N, 3, 5, 7), np.uint8)), "IAll")
    assert not rows[:].any()
    assert rows._starts is None


def test_several_threads_read_at_once(tmp_path, pixels):
    rows = Hdf5Rows(write(tmp_path / "a.h5", pixels, chunks=(1, 3, 5, 7)), "IAll")
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(rows.__getitem__, range(N)))
    np.testing.assert_array_equal(read, pixels)


@needs_direct
def test_a_file_that_shrinks_while_it_is_open(tmp_path, pixels):
    path = write(tmp_path / "a.h5", pixels)
    rows = Hdf5Rows(path, "IAll")
    rows[0]
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"rows of IAll cannot be read \(the file ends before them\)"):
        rows[N - 1]


@pytest.mark.parametrize("damage", [{"chunk_offset": (2_583_691_270, 0, 0, 0)}, {"byte_offset": 2**64 - 1}])
def test_a_damaged_chunk_index_leaves_reading_to_hdf5(damage):
    chunks = [
        SimpleNamespace(
            **(
                {"chunk_offset": (row, 0, 0, 0), "byte_offset": 100 * row, "size": 48, "filter_mask": 0}
                | (damage if row == 1 else {})
            )
        )
        for row in range(3)
    ]
    file = SimpleNamespace(
        get_create_plist=lambda: SimpleNamespace(get_nfilters=lambda: 0),
        chunk_iter=lambda note: [note(chunk) for chunk in chunks],
    )
    stored = SimpleNamespace(
        shape=(3, 3, 4, 4),
        dtype=np.dtype("u1"),
        chunks=(1, 3, 4, 4),
        id=file,
        file=SimpleNamespace(userblock_size=0),
    )
    assert row_starts(stored) is None
