"""Containers are told by their bytes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from cmh_files import container, variables


@pytest.mark.parametrize("block", [0, 512, 1024, 2048, 65536])
def test_hdf5_behind_a_block_of_any_size(tmp_path, block):
    with h5py.File(tmp_path / "a", "w", userblock_size=block) as file:
        file["XAll"] = np.eye(3)
    assert container(tmp_path / "a") == "hdf5"
    assert [variable.key for variable in variables(tmp_path / "a")] == ["XAll"]


def test_the_signature_elsewhere_makes_no_hdf5_file(tmp_path):
    (tmp_path / "a").write_bytes(bytes(700) + b"\x89HDF\r\n\x1a\n" + bytes(2000))
    assert container(tmp_path / "a") == "unknown"
