"""Damaged HDF5 files, read by a child process first."""

import resource
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from cmh_files import DataError, RowEdit, attributes, variables
from cmh_files.hdf5.child import Helper


@pytest.fixture
def long_string(tmp_path):
    """A file of 4 kB with a string that is said to have four gigabytes."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["XAll"] = np.ones((4, 3), np.float32)
        file["XAll"].attrs["unit"] = "x" * 23
    content = path.read_bytes()
    said = struct.pack("<IQ", 23, content.index(b"GCOL"))
    assert content.count(said) == 1
    path.write_bytes(content.replace(said, struct.pack("<I", 2**32 - 16) + said[4:]))
    return path


def peak() -> int:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited on Linux only")
def test_a_string_that_is_not_there_takes_no_memory(long_string):
    before = peak()
    for read in (variables, attributes):
        with pytest.raises(DataError, match="declares more than it can hold"):
            read(long_string)
    with Helper() as helper, pytest.raises(DataError, match="damaged"):
        helper.copy_edited(
            long_string,
            long_string.with_name("b.h5"),
            [
                RowEdit(
                    key="XAll",
                    role="image",
                    shape=(4, 3),
                    axis=0,
                    present=np.arange(4) > 1,
                    training=np.ones(4, bool),
                    marker=True,
                    mean=False,
                    integers=False,
                )
            ],
            {},
            verify=False,
        )
    assert peak() - before < 300 << 10  # kB
