from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_files import DataError, find_role, read_mat5
from cmh_files.mat5.read import Unread, mat5_variables
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def read(path):
    return {variable.key: variable.read() for variable in mat5_variables(path) if variable.dtype != object}


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
    (odd,) = (variable for variable in mat5_variables(path) if variable.key == "odd")
    with pytest.raises(DataError, match="holds odd as a MATLAB cell array that holds more than texts"):
        odd.read()
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


def element(kind, body):
    if len(body) <= 4:
        return struct.pack("<HH", kind, len(body)) + body.ljust(4, b"\0")
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(kind, shape, name, data_type, data):
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + element(data_type, data))


def write(path, *elements):
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements))
    return path


@pytest.mark.parametrize(("name", "kind"), [("meta", "table"), ("T", "string"), ("Y", "datetime")])
def test_objects_of_matlab_are_named_and_the_arrays_beside_them_read(tmp_path, name, kind):
    flags = element(6, struct.pack("<II", 17, 0))
    reference = matrix(13, (6, 1), b"", 6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1))
    table = element(
        14, flags + element(1, name.encode()) + element(1, b"MCOS") + element(1, kind.encode()) + reference
    )
    values = matrix(6, (2, 3), b"XAll", 9, np.arange(6.0).tobytes())
    hidden = matrix(9, (1, 16), b"", 2, bytes(16))
    path = write(tmp_path / "a.mat", table, values, hidden)
    found = {variable.key: variable for variable in mat5_variables(path)}
    assert set(found) == {name, "XAll"}
    np.testing.assert_array_equal(found["XAll"].read(), [[0, 2, 4], [1, 3, 5]])
    assert found[name].dtype == object
    assert find_role(found, "text") is find_role(found, "labels") is None
    with pytest.raises(
        DataError, match=f"holds {name} as a MATLAB object of class {kind}, which is not read"
    ):
        found[name].read()
    assert read_mat5(path)[name] == Unread(f"MATLAB object of class {kind}")
    assert set(read_mat5(path, names=["XAll"])) == {"XAll"}


def test_characters_that_are_not_there_are_refused_at_once(tmp_path):
    path = write(tmp_path / "a.mat", matrix(4, (2**31 - 1, 1), b"ids", 4, "hello".encode("utf-16-le")))
    with pytest.raises(DataError, match="ids declares 2147483647 characters and holds 5"):
        mat5_variables(path)


def test_a_character_of_two_units(tmp_path):
    path = write(tmp_path / "a.mat", matrix(4, (2, 2), b"x", 17, "abcd".encode("utf-16-le")))
    assert read(path)["x"].tolist() == ["ac", "bd"]
    path = write(tmp_path / "a.mat", matrix(4, (1, 3), b"x", 17, "a\U0001f600".encode("utf-16-le")))
    assert read(path)["x"].tolist() == ["a\U0001f600"]


def test_a_packed_element_cannot_hold_more_than_packing_allows(tmp_path):
    packed = zlib.compress(struct.pack("<II", 14, 4_000_000_000) + bytes(10_000))
    path = write(tmp_path / "a.mat", struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match="a compressed element of 4000000000 bytes packed in"):
        mat5_variables(path)


def test_structs_and_cells_stay_nested_where_asked(tmp_path):
    path = tmp_path / "a.mat"
    layers = np.empty((1, 2), object)
    layers[0, 0], layers[0, 1] = {"weights": np.eye(2), "name": "conv"}, {"name": "relu"}
    scipy.io.savemat(path, {"layers": layers, "meta": {"n": 3}})
    first, second = read_mat5(path)["layers"]
    np.testing.assert_array_equal(first["weights"], np.eye(2))
    assert second["name"].tolist() == ["relu"]
    assert read_mat5(path)["meta"]["n"] == 3


def test_what_is_no_matlab_5_file(tmp_path):
    (tmp_path / "a").write_bytes(b"text, and long enough to have a head".ljust(400))
    with pytest.raises(DataError, match="is no MATLAB 5 file"):
        read_mat5(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"")
    with pytest.raises(DataError, match="damaged or truncated"):
        read_mat5(tmp_path / "b")
