from __future__ import annotations

import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_files.mat5.read import mat5_variables
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def read(path):
    return {variable.key: variable.read() for variable in mat5_variables(path)}


@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5))
    ),
    compress=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_numbers_are_read_as_scipy_reads_them(tmp_path_factory, array, compress):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    scipy.io.savemat(path, {"x": array, "second": np.arange(3)}, do_compression=compress)
    found = read(path)
    expected = scipy.io.loadmat(path)
    assert found["x"].dtype == expected["x"].dtype
    np.testing.assert_array_equal(found["x"], expected["x"])
    np.testing.assert_array_equal(found["second"], expected["second"])


@pytest.mark.parametrize("compress", [False, True])
def test_structs_cells_strings_and_sparse_tables(tmp_path, compress):
    path = tmp_path / "a.mat"
    rng = np.random.default_rng(0)
    table = scipy.sparse.csc_array(np.where(rng.random((7, 5)) < 0.4, rng.normal(size=(7, 5)), 0))
    content = {
        "data": {"X1": np.eye(3), "inner": {"rows": np.arange(4)}},
        "words": np.array(["a", "long word", "é"], dtype=object),
        "padded": np.array(["ab", "c"]),
        "one": "text",
        "table": table,
        "nothing": np.zeros((0, 0)),
        "odd": np.array([np.eye(2), "x"], dtype=object),
        "logical": np.array([[True, False]]),
    }
    scipy.io.savemat(path, content, do_compression=compress)
    found = read(path)
    np.testing.assert_array_equal(found["data/X1"], np.eye(3))
    np.testing.assert_array_equal(found["data/inner/rows"], [[0, 1, 2, 3]])
    assert found["words"].tolist() == ["a", "long word", "é"]
    assert found["padded"].tolist() == ["ab", "c "]
    assert found["one"].tolist() == ["text"]
    np.testing.assert_array_equal(found["table"], table.toarray())
    assert found["nothing"].shape == (0, 0)
    assert "odd" not in found
    assert found["logical"].tolist() == [[1, 0]]


def test_big_endian(tmp_path):
    path = tmp_path / "a.mat"
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    dimensions = struct.pack(">IIii", 5, 8, 1, 3)
    name = struct.pack(">HH4s", 1, 1, b"x")
    values = struct.pack(">IIhhhxx", 3, 6, 1, -2, 300)
    body = flags + dimensions + name + values
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body)
    np.testing.assert_array_equal(read(path)["x"], [[1.0, -2.0, 300.0]])


def test_real_files_as_scipy_reads_them(shared_data):
    files = sorted((shared_data / "files").glob("*/*.mat"))
    assert len(files) == 9
    for path in files:
        found = read(path)
        for key, value in scipy.io.loadmat(path).items():
            if isinstance(value, np.ndarray) and value.dtype.names is None:
                np.testing.assert_array_equal(found[key], value)
