"""Every layout is rewritten and read back by plain SciPy or h5py, and compared with what the plan says."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_unpair import UnpairingPlan, plan_unpairing, published_2022_plan, unpair_file

N = 57
ROWS = np.arange(5, 45)  # the training rows of the file; query rows around them
PLAN = plan_unpairing(40, unpaired_images=30, unpaired_text=20, block=10)
NO_TEXT, NO_IMAGE = ROWS[~PLAN.text_present], ROWS[~PLAN.image_present]
STORAGES = {
    "contiguous": {},
    "row chunks": {"chunks": 1},
    "chunks": {"chunks": 7},
    "gzip rows": {"chunks": 1, "compression": "gzip", "shuffle": True},
    "gzip": {"chunks": 4, "compression": "gzip"},
    "checksums": {"chunks": 10, "fletcher32": True},
}


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "IAll": rng.integers(1, 255, (N, 3, 6, 5), dtype=np.uint8),
        "YAll": rng.integers(0, 2, (N, 13)).astype(np.uint8) | (np.arange(13) == 0),
        "LAll": rng.integers(0, 2, (N, 4), dtype=np.uint8),
        "XAll": rng.integers(-99, 99, (N, 8))
        / 8,  # sums without rounding, so that every order gives the same mean
    }


def emptied(data, fill="zero"):
    result = {key: values.copy() for key, values in data.items()}
    for key, rows in (("IAll", NO_IMAGE), ("XAll", NO_IMAGE), ("YAll", NO_TEXT)):
        if key in result:
            left = np.setdiff1d(ROWS, rows)
            mean = data[key][left].mean(axis=0)
            mean = mean if data[key].dtype.kind == "f" else np.rint(mean)
            result[key][rows] = 0 if fill == "zero" else mean
    return result


def write_hdf5(path, data, storage, *, matlab=False, reverse=()):
    with h5py.File(path, "w", userblock_size=512 if matlab else 0) as file:
        for key, values in data.items():
            stored = values.T if key in reverse else values
            options = dict(storage)
            if "chunks" in options:
                rest = (
                    tuple(max(1, size // 2) for size in stored.shape[1:])
                    if options["chunks"] == 4
                    else stored.shape[1:]
                )
                options["chunks"] = (min(options["chunks"], len(stored)), *rest)
            dataset = file.create_dataset(key, data=stored, **options)
            dataset.attrs["MATLAB_class"] = np.bytes_(str(values.dtype))
            dataset.attrs["note"] = "é"
        group = file.create_group("param")
        group["indexQuery"] = np.arange(1.0, 6.0)[None]
        names = file.create_dataset(
            "#refs#/a", data=np.frombuffer("été".encode("utf-16-le"), dtype=np.uint16)
        )
        file.create_dataset("names", data=[names.ref], dtype=h5py.ref_dtype)
        file.create_dataset("words", data=["one", "two"], dtype=h5py.string_dtype())
    if matlab:
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, made for a test".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("reverse", [(), ("YAll", "LAll", "XAll")], ids=["rows first", "rows last"])
@pytest.mark.parametrize("matlab", [False, True], ids=["hdf5", "matlab 7.3"])
@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
def test_hdf5_keeps_everything_but_the_emptied_items(tmp_path, storage, matlab, reverse, fill):
    source, target = tmp_path / "in.mat", tmp_path / "out.mat"
    data = arrays()
    write_hdf5(source, data, storage, matlab=matlab, reverse=reverse)
    before = source.read_bytes()
    report = unpair_file(source, target, PLAN, rows=ROWS, fill=fill)
    assert report.format == ("matlab-7.3" if matlab else "hdf5")
    assert {array.key: array.emptied for array in report.arrays} == {"IAll": 8, "XAll": 8, "YAll": 12}
    assert source.read_bytes() == before
    assert target.read_bytes()[:512] == before[:512] or not matlab
    with h5py.File(source) as old, h5py.File(target) as new:
        for key, values in emptied(data, fill).items():
            np.testing.assert_array_equal(new[key][()], values.T if key in reverse else values, strict=True)
            for name in (
                "chunks",
                "compression",
                "compression_opts",
                "shuffle",
                "fletcher32",
                "dtype",
                "maxshape",
            ):
                assert getattr(new[key], name) == getattr(old[key], name)
            assert dict(new[key].attrs) == dict(old[key].attrs)
        assert new["param/indexQuery"][0, 4] == 5
        assert new[new["names"][0]][()].tobytes().decode("utf-16-le") == "été"
        assert list(new["words"].asstr()) == ["one", "two"]
        mask = np.ones(N, dtype=np.uint8)
        mask[NO_TEXT] = 0
        np.testing.assert_array_equal(new["text_present"][()], mask[None] if matlab else mask)
        assert UnpairingPlan.from_json(new["unpairing_plan"][()].tobytes()) == PLAN


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
def test_hdf5_marker_and_integers(tmp_path, storage):
    source, target = tmp_path / "in.h5", tmp_path / "out.h5"
    data = arrays()
    for reverse in ((), ("YAll", "LAll")):
        write_hdf5(source, data, storage, reverse=reverse)
        unpair_file(source, target, PLAN, rows=ROWS, marker="text", overwrite=True)
        with h5py.File(target) as new:
            texts = new["YAll"][()].T if reverse else new["YAll"][()]
            assert texts.dtype == np.uint8
            np.testing.assert_array_equal(texts[:, :-1], emptied(data)["YAll"])
            np.testing.assert_array_equal(np.flatnonzero(texts[:, -1]), NO_TEXT)
            assert new["YAll"].attrs["note"] == "é"
            assert new["YAll"].compression == storage.get("compression")
    plan = published_2022_plan(40, unpaired_text=20, integer_cast=True)
    unpair_file(source, target, plan, rows=ROWS, overwrite=True)
    with h5py.File(target) as new:
        assert new["XAll"].dtype == np.int64
        rows = ROWS[plan.image_present]
        np.testing.assert_array_equal(new["XAll"][rows], data["XAll"][rows].astype(int))
        assert new["YAll"].dtype == np.uint8


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("byte_order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("columns", [False, True], ids=["rows", "columns"])
def test_matlab_5_keeps_everything_but_the_emptied_items(tmp_path, fill, compress, byte_order, columns):
    source, target = tmp_path / "in.mat", tmp_path / "out.mat"
    data = arrays()
    turned = {key: values.T if columns else values for key, values in data.items()}
    others = {
        "names": np.array(["a", "longer"]),
        "cells": np.array([np.arange(3), "x"], dtype=object)[None],
        "param": {"indexQuery": np.arange(1.0, 6.0), "deep": {"x": 1.5}},
    }
    scipy.io.savemat(source, turned | others, do_compression=compress)
    if byte_order == ">":
        source.write_bytes(swapped(turned))
    before = scipy.io.loadmat(source)
    report = unpair_file(source, target, PLAN, rows=ROWS, fill=fill)
    assert report.format == "matlab-5"
    after = scipy.io.loadmat(target)
    for key, values in emptied(data, fill).items():
        np.testing.assert_array_equal(after[key], values.T if columns else values)
        assert after[key].dtype.itemsize == before[key].dtype.itemsize
    for key in before.keys() - turned.keys():
        assert repr(after[key]) == repr(before[key])  # nested records
    np.testing.assert_array_equal(np.flatnonzero(after["image_present"] == 0), NO_IMAGE)
    assert UnpairingPlan.from_json(after["unpairing_plan"].tobytes()) == PLAN


def swapped(matrices):
    """A big-endian MATLAB 5 file of uint8 and double matrices, as old workstations wrote it."""
    out = [b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x01\x00MI"]
    for name, values in matrices.items():
        kind, stored = (9, 2) if values.dtype == np.uint8 else (6, 9)
        body = b""
        for tag, part in (
            (6, np.array([kind, 0], dtype=">u4").tobytes()),
            (5, np.array(values.shape, dtype=">i4").tobytes()),
            (1, name.encode()),
            (stored, values.astype(values.dtype.newbyteorder(">")).tobytes(order="F")),
        ):
            if len(part) <= 4:
                body += np.array([len(part), tag], dtype=">u2").tobytes() + part.ljust(4, b"\0")
            else:
                body += np.array([tag, len(part)], dtype=">u4").tobytes() + part + bytes(-len(part) % 8)
        out.append(np.array([14, len(body)], dtype=">u4").tobytes() + body)
    return b"".join(out)


@pytest.mark.parametrize("columns", [False, True], ids=["rows", "columns"])
def test_matlab_5_marker_integers_and_sparse(tmp_path, columns):
    source, target = tmp_path / "in.mat", tmp_path / "out.mat"
    data = arrays()
    turn = (lambda values: values.T) if columns else (lambda values: values)
    scipy.io.savemat(source, {"XAll": turn(data["XAll"]), "YAll": turn(data["YAll"])})
    unpair_file(source, target, PLAN, rows=ROWS, marker="both")
    after = scipy.io.loadmat(target)
    for key, rows in (("XAll", NO_IMAGE), ("YAll", NO_TEXT)):
        np.testing.assert_array_equal(turn(after[key])[:, :-1], emptied(data)[key])
        np.testing.assert_array_equal(np.flatnonzero(turn(after[key])[:, -1]), rows)
    plan = published_2022_plan(40, unpaired_text=20, integer_cast=True)
    unpair_file(source, target, plan, rows=ROWS, overwrite=True)
    after = turn(scipy.io.loadmat(target)["XAll"])
    assert after.dtype == np.int64
    rows = ROWS[plan.image_present]
    np.testing.assert_array_equal(after[rows], data["XAll"][rows].astype(int))
    sparse = scipy.sparse.csc_array(turn(data["YAll"]).astype(float))
    scipy.io.savemat(source, {"YAll": sparse})
    unpair_file(source, target, PLAN, rows=ROWS, item_axis={"YAll": int(columns)}, overwrite=True)
    after = scipy.io.loadmat(target)["YAll"]
    np.testing.assert_array_equal(turn(after.toarray()), emptied(data)["YAll"])
    assert after.nnz == np.count_nonzero(after.toarray())


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_matlab_73_sparse(tmp_path, compression):
    source, target = tmp_path / "in.mat", tmp_path / "out.mat"
    texts = arrays()["YAll"]
    sparse = scipy.sparse.csc_array(texts.astype(float))
    write_hdf5(source, {"LAll": arrays()["LAll"].T}, {}, matlab=True)
    with h5py.File(source, "r+") as file:
        group = file.create_group("YAll")
        group.attrs["MATLAB_sparse"] = np.uint64(N)
        for name, values in (("data", sparse.data), ("ir", sparse.indices), ("jc", sparse.indptr)):
            group.create_dataset(
                name, data=values.astype(np.uint64) if name != "data" else values, compression=compression
            )
    unpair_file(source, target, PLAN, rows=ROWS)
    with h5py.File(target) as file:
        data, ir, jc = (file["YAll"][name][()] for name in ("data", "ir", "jc"))
        after = scipy.sparse.csc_array((data, ir.astype(int), jc.astype(int)), shape=texts.shape)
        np.testing.assert_array_equal(after.toarray(), emptied(arrays())["YAll"])
        assert file["YAll/ir"].dtype == np.uint64
        assert file["YAll"].attrs["MATLAB_sparse"] == N
