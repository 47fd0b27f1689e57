"""Databases that do not fit in memory: from a memory map and from HDF5, and how much memory that takes."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from cmh_metrics import evaluate, hamming_topk, ranking_tables

MEASURE = """
import sys, tracemalloc
import h5py, numpy as np
from cmh_metrics import ranking_tables

kind, folder = sys.argv[1:]
n, bits, n_label = 300_000, 64, 5  # float32: 77 MB
rng = np.random.default_rng(0)
query = {"query_codes": rng.normal(size=(2, bits)), "query_labels": np.ones((2, n_label))}
if kind == "npy":
    codes = np.lib.format.open_memmap(f"{folder}/codes.npy", "w+", np.float32, (n, bits))
    labels = np.lib.format.open_memmap(f"{folder}/labels.npy", "w+", np.uint8, (n, n_label))
else:
    file = h5py.File(f"{folder}/data.h5", "w")
    codes = file.create_dataset("codes", (n, bits), np.float32)
    labels = file.create_dataset("labels", (n, n_label), np.uint8)
for start in range(0, n, 30_000):
    codes[start : start + 30_000] = rng.normal(size=(30_000, bits))
    labels[start : start + 30_000] = rng.random((30_000, n_label)) < 0.3
if kind == "npy":
    codes.flush(), labels.flush()
    codes, labels = (np.load(f"{folder}/{name}.npy", mmap_mode="r") for name in ("codes", "labels"))
small = {"database_codes": codes[:100], "database_labels": labels[:100]}
ranking_tables(**query, **small)  # kernels are loaded
tracemalloc.start()
tables = ranking_tables(**query, database_codes=codes, database_labels=labels)
assert tables.retrieved.sum(axis=1).tolist() == [n, n]
print(tracemalloc.get_traced_memory()[1])
"""


@pytest.fixture(params=["npy", "hdf5"])
def stored(request, make_arrays, tmp_path):
    """(the four arrays, the same with a database on disk)"""
    arrays = make_arrays(3, 70_000, 24, 6)
    on_disk = dict(arrays)
    if request.param == "npy":
        for name in ("database_codes", "database_labels"):
            np.save(tmp_path / f"{name}.npy", arrays[name])
            on_disk[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        yield arrays, on_disk
        return
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for name in ("database_codes", "database_labels"):
            on_disk[name] = file.create_dataset(name, data=arrays[name])
        yield arrays, on_disk


def test_a_database_on_disk_gives_the_same(stored):
    arrays, on_disk = stored
    expected, tables = ranking_tables(**arrays), ranking_tables(**on_disk)
    np.testing.assert_array_equal(tables.retrieved, expected.retrieved)
    np.testing.assert_array_equal(tables.relevant, expected.relevant)
    codes = ("query_codes", "database_codes")
    found = hamming_topk(**{name: on_disk[name] for name in codes}, k=9)
    for actual, wanted in zip(
        found, hamming_topk(**{name: arrays[name] for name in codes}, k=9), strict=True
    ):
        np.testing.assert_array_equal(actual, wanted)
    assert evaluate(**on_disk).to_json() == evaluate(**arrays).to_json()


@pytest.mark.parametrize("kind", ["npy", "hdf5"])
def test_memory_stays_bounded(tmp_path, kind):
    command = [sys.executable, "-c", MEASURE, kind, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 32 << 20  # less than half of the codes
