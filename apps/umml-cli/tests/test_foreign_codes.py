"""Codes and labels in files: which way they lie, and codes packed into bytes and words."""

import h5py
import numpy as np
import pytest
from cmh_metrics import PackedCodes, pack_codes
from umml_cli.errors import UserError
from umml_cli.inputs.foreign_codes import Packing, read_arrays, read_label_lists, split_location

ARRAYS = ("query_codes", "query_labels", "database_codes", "database_labels")


def test_a_key_follows_the_last_colon_unless_the_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_location("codes.mat:qB") == ("codes.mat", "qB")
    assert split_location("codes.npy") == ("codes.npy", None)
    (tmp_path / "codes:1").touch()
    assert split_location("codes:1") == ("codes:1", None)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "query_codes": rng.choice([-1.0, 1.0], (4, 6)),
        "query_labels": np.eye(3)[[0, 1, 2, 1]],
        "database_codes": rng.choice([-1.0, 1.0], (9, 6)),
        "database_labels": np.eye(3)[rng.integers(0, 3, 9)],
    }


def save(tmp_path, kind, arrays):
    """Write arrays as they are to npy, npz, HDF5, or HDF5 with MATLAB's marks (axes not reversed)."""
    if kind == "npy":
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        return {name: str(tmp_path / f"{name}.npy") for name in arrays}
    path = tmp_path / f"c.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
                if kind == "mat":
                    file[name].attrs["MATLAB_class"] = np.bytes_("double")
    return {name: f"{path}:{name}" for name in arrays}


@pytest.mark.parametrize("kind", ["npy", "npz", "h5", "mat"])
@pytest.mark.parametrize("turned", [(), ("query_codes",), ("query_labels", "database_labels"), ARRAYS])
def test_arrays_are_turned_so_that_all_agree(tmp_path, arrays, kind, turned):
    stored = {name: array.T if name in turned else array for name, array in arrays.items()}
    found, said = read_arrays(save(tmp_path, kind, stored))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    words = [name.replace("_", " ") for name in ARRAYS]
    expected = {"h5": [], "mat": [w for w in words if w.replace(" ", "_") not in turned]}
    assert said == expected.get(kind, [w for w in words if w.replace(" ", "_") in turned])


def test_an_array_that_fits_as_it_lies_is_not_turned(tmp_path, arrays):
    square = {name: array[:4, :3] if "labels" in name else array[:4, :4] for name, array in arrays.items()}
    found, said = read_arrays(save(tmp_path, "npz", square))
    assert said == []
    np.testing.assert_array_equal(found["query_codes"], square["query_codes"])
    reversed_axes = {name: array.T for name, array in square.items()}  # as MATLAB 7.3 has them
    found, said = read_arrays(save(tmp_path, "mat", reversed_axes))
    assert said == []
    np.testing.assert_array_equal(found["query_codes"], square["query_codes"])


def test_hdf5_of_nobody_knows_whom_is_refused_where_two_ways_fit(tmp_path, arrays):
    square = {name: array[:4, :3] if "labels" in name else array[:4, :4] for name, array in arrays.items()}
    with pytest.raises(UserError, match=r"query codes \(4, 4\).* fit together in more than one way"):
        read_arrays(save(tmp_path, "h5", square))


@pytest.mark.parametrize("kind", ["npy", "npz", "h5", "mat"])
@pytest.mark.parametrize("form", ["vector", "column", "row"])
def test_one_class_an_item_whichever_way_it_lies(tmp_path, arrays, kind, form):
    classes = {name: array.argmax(1) for name, array in arrays.items() if "labels" in name}
    shaped = {"vector": lambda y: y, "column": lambda y: y[:, None], "row": lambda y: y[None]}[form]
    found, said = read_arrays(
        save(
            tmp_path,
            kind,
            {**{n: a.T if kind == "mat" else a for n, a in arrays.items()}}
            | {name: shaped(y) for name, y in classes.items()},
        )
    )
    assert said == []
    for name, y in classes.items():
        np.testing.assert_array_equal(found[name], y)


def test_npy_files_are_mapped(tmp_path, arrays):
    found, _ = read_arrays(save(tmp_path, "npy", arrays))
    for array in found.values():
        assert isinstance(array, np.memmap)


def test_sparse_labels_of_matlab_and_the_only_array_of_a_file(tmp_path, arrays):
    places = save(tmp_path, "npy", arrays)
    with h5py.File(tmp_path / "codes.mat", "w") as file:
        file["B"] = arrays["query_codes"].T
        file["B"].attrs["MATLAB_class"] = np.bytes_("double")
    with h5py.File(tmp_path / "labels.mat", "w") as file:
        sparse = file.create_group("L")  # 4 x 3, the classes 0, 1, 2, 1
        sparse.attrs["MATLAB_class"], sparse.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(4)
        sparse["data"], sparse["ir"], sparse["jc"] = np.ones(4), [0, 1, 3, 2], [0, 1, 3, 4]
    places |= {"query_codes": f"{tmp_path}/codes.mat", "query_labels": f"{tmp_path}/labels.mat"}
    found, said = read_arrays(places)
    assert said == []
    np.testing.assert_array_equal(found["query_codes"], arrays["query_codes"])
    np.testing.assert_array_equal(found["query_labels"], arrays["query_labels"])


@pytest.mark.parametrize(
    "convert",
    [
        lambda b: b,
        lambda b: b.T,
        lambda b: (b.astype(int) - 128).astype(np.int8),
        lambda b: b.view(np.int8),
        lambda b: b.astype(float),
        lambda b: b.astype(np.int64),
        lambda b: b.view(np.int64),
        lambda b: b.view(np.uint64)[:, 0],
        lambda b: b.view(np.int32),
    ],
)
@pytest.mark.parametrize(("bits", "bitorder"), [(64, "big"), (64, "little"), (59, "big"), (59, "little")])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_packed_codes(tmp_path, arrays, convert, bits, bitorder, kind):
    rng = np.random.default_rng(1)
    codes = {name: rng.random((len(arrays[name]), bits)) < 0.5 for name in ARRAYS if "codes" in name}
    stored = {name: convert(np.packbits(c, axis=1, bitorder=bitorder)) for name, c in codes.items()}
    found, _ = read_arrays(save(tmp_path, kind, arrays | stored), Packing(bits, bitorder))
    distances = [
        np.bitwise_count(sides["query_codes"].words[:, None] ^ sides["database_codes"].words).sum(axis=2)
        for sides in (found, {name: pack_codes(c) for name, c in codes.items()})
    ]
    np.testing.assert_array_equal(*distances)
    if bits == 59:
        other = {"little": "big", "big": "little"}[bitorder]
        with pytest.raises(
            ValueError, match=f"query_codes must have no bit set .* try bitorder='{bitorder}'"
        ):
            read_arrays(save(tmp_path, kind, arrays | stored), Packing(bits, other))


def test_signed_and_unsigned_bytes_do_not_mix(tmp_path, arrays):
    packed = {name: np.packbits(arrays[name] > 0, axis=1) for name in ARRAYS if "codes" in name}
    packed["query_codes"] = packed["query_codes"].view(np.int8)
    with pytest.raises(UserError, match="int8 may be the byte minus 128 or the same byte read as signed"):
        read_arrays(save(tmp_path, "npz", arrays | packed), Packing(6, "big"))


def test_packed_codes_of_ours_are_read_as_such(tmp_path, arrays):
    places = save(tmp_path, "npy", arrays)
    pack_codes(arrays["query_codes"]).save(tmp_path / "packed.npz")
    found, _ = read_arrays(places | {"query_codes": f"{tmp_path}/packed.npz"})
    assert isinstance(found["query_codes"], PackedCodes)
    places["query_labels"] = places["database_labels"]
    with pytest.raises(
        UserError, match=r"codes \(4, 6\) and labels \(9, 3\) have no number of rows in common"
    ):
        read_arrays(places | {"query_codes": f"{tmp_path}/packed.npz"})


def test_nothing_is_turned_where_not_all_agrees(tmp_path, arrays):
    swapped = arrays | {"query_labels": arrays["database_labels"][:, :1].repeat(4, axis=1)}  # (9, 4)
    with pytest.raises(UserError, match=r"query codes \(4, 6\) and labels \(9, 4\) have no number of rows"):
        read_arrays(save(tmp_path, "npz", swapped))
    longer = arrays | {"database_codes": np.ones((9, 7))}  # another number of bits: for `evaluate` to say
    found, said = read_arrays(save(tmp_path, "npz", longer))
    assert said == []
    assert found["database_codes"].shape == (9, 7)


def test_a_damaged_archive_is_one_sentence(tmp_path, arrays):
    places = save(tmp_path, "npy", arrays)
    pack_codes(arrays["query_codes"]).save(tmp_path / "packed.npz")
    content = (tmp_path / "packed.npz").read_bytes()
    start = content.index(b"PK\x01\x02")  # the first entry of the archive's directory: a version to come
    (tmp_path / "packed.npz").write_bytes(content[: start + 6] + b"\xff" + content[start + 7 :])
    with pytest.raises(ValueError, match=r"packed\.npz"):
        read_arrays(places | {"query_codes": f"{tmp_path}/packed.npz"})


@pytest.mark.parametrize("shape", [(), (4, 3, 2)])
def test_other_dimensions_are_refused(tmp_path, arrays, shape):
    with pytest.raises(UserError, match="query labels must be a matrix, a row for each item"):
        read_arrays(save(tmp_path, "npz", arrays | {"query_labels": np.ones(shape)}))


def test_texts_that_hold_several_names_become_tables(capsys):
    query, database = np.array(["a|b", "c"]), np.array(["b", "a", "c|a"])
    tables = read_label_lists(query, database)
    assert tables["query_labels"].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert tables["database_labels"].tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 1]]
    assert "Note: labels: class names" in capsys.readouterr().err
    assert read_label_lists(np.array(["a", "b"]), np.array(["b"])) == {}


def test_class_numbers_that_count_from_0_and_from_1_are_noticed(capsys):
    assert read_label_lists(np.arange(1, 5), np.arange(4)) == {}
    assert "run from 1 to 4 and 0 to 3: does one side count from 1?" in capsys.readouterr().err
    assert read_label_lists(np.array([1, 2]), np.arange(4)) == {}
    assert capsys.readouterr().err == ""
