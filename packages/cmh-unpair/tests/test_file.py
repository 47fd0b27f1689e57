"""Every layout is rewritten and read back by plain SciPy or h5py, and compared with what the plan says."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from cmh_unpair import UnpairingPlan, plan_unpairing, published_2022_plan, unpair_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def removed(data, fill="zero"):
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
        file.create_dataset("texts of no use", data=["one", "two"], dtype=h5py.string_dtype())
    if matlab:
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, made for a test".ljust(124) + b"\x00\x02IM")


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize(
    ("matlab", "reverse"),
    [(False, ()), (True, ("YAll", "LAll", "XAll"))],
    ids=["hdf5, rows first", "matlab 7.3, rows last"],
)
@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
def test_hdf5_keeps_everything_but_the_removed_items(tmp_path, storage, matlab, reverse, fill):
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
        for key, values in removed(data, fill).items():
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
        assert list(new["texts of no use"].asstr()) == ["one", "two"]
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
            np.testing.assert_array_equal(texts[:, :-1], removed(data)["YAll"])
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
def test_matlab_5_keeps_everything_but_the_removed_items(tmp_path, fill, compress, byte_order, columns):
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
    for key, values in removed(data, fill).items():
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
        np.testing.assert_array_equal(turn(after[key])[:, :-1], removed(data)[key])
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
    np.testing.assert_array_equal(turn(after.toarray()), removed(data)["YAll"])
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
        np.testing.assert_array_equal(after.toarray(), removed(arrays())["YAll"])
        assert file["YAll/ir"].dtype == np.uint64
        assert file["YAll"].attrs["MATLAB_sparse"] == N


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
def test_fields_of_a_matlab_5_struct_with_items_in_columns(tmp_path, compress):
    source, target = tmp_path / "wiki.mat", tmp_path / "out.mat"
    data = arrays()
    struct = {
        "X1": data["XAll"].T,
        "X2": data["YAll"].T.astype(float),
        "Y": scipy.sparse.csc_array(data["LAll"].T.astype(float)),
        "split": {"ind_train": ROWS + 1.0, "words": "été"},
    }
    with source.open("wb") as file:
        scipy.io.savemat(file, {"data": struct, "other": np.arange(3)}, do_compression=compress)
    keys = {"image_key": "data/X1", "text_key": "data/X2"}
    report = unpair_file(source, target, PLAN, rows=ROWS, digests=True, **keys)
    assert {array.key: array.emptied for array in report.arrays} == {"data/X1": 8, "data/X2": 12}
    read, before = (scipy.io.loadmat(path) for path in (target, source))
    found, old = read["data"][0, 0], before["data"][0, 0]
    np.testing.assert_array_equal(found["X1"].T, removed(data)["XAll"])
    np.testing.assert_array_equal(found["X2"].T, removed(data)["YAll"])
    np.testing.assert_array_equal(found["Y"].toarray(), old["Y"].toarray())
    np.testing.assert_array_equal(found["split"][0, 0]["ind_train"], old["split"][0, 0]["ind_train"])
    assert found["split"][0, 0]["words"] == ["été"]
    np.testing.assert_array_equal(read["other"], before["other"])
    assert read["text_present"].sum() == N - 12
    gone = np.isin(np.arange(N), NO_IMAGE)
    expected = tuple(
        hashlib.sha256(np.compress(mask, found["X1"], axis=1).tobytes("F")).hexdigest()
        for mask in (gone, ~gone)
    )
    assert report.arrays[0].digests == expected
    with pytest.raises(ValueError, match=r"data/X2 must be a full array .* but it is a field of a struct"):
        unpair_file(source, tmp_path / "b.mat", PLAN, rows=ROWS, marker="text", **keys)


def test_one_file_per_modality(tmp_path):
    data = arrays()
    write_hdf5(tmp_path / "iall.mat", {"IAll": data["IAll"]}, {}, matlab=True)
    scipy.io.savemat(tmp_path / "yall.mat", {"YAll": data["YAll"]})
    images = unpair_file(tmp_path / "iall.mat", tmp_path / "i.mat", PLAN, rows=ROWS)
    texts = unpair_file(tmp_path / "yall.mat", tmp_path / "y.mat", PLAN, rows=ROWS)
    assert [array.key for array in (*images.arrays, *texts.arrays)] == ["IAll", "YAll"]
    with h5py.File(tmp_path / "i.mat") as file:
        np.testing.assert_array_equal(file["IAll"][()], removed(data)["IAll"])
        assert {"image_present", "unpairing_plan_image"} < set(file)
        keys = set(file)
    read = scipy.io.loadmat(tmp_path / "y.mat")
    np.testing.assert_array_equal(read["YAll"], removed(data)["YAll"])
    assert {"text_present", "unpairing_plan_text"} < read.keys()
    assert not keys & read.keys()  # both stand in one folder


def save_mat5(path, values):
    with path.open("wb") as file:  # a path would get the ending .mat
        scipy.io.savemat(file, values)


def read_back(path, form):
    if form == "matlab-5":
        with path.open("rb") as file:
            return scipy.io.loadmat(file)
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file if isinstance(file[key], h5py.Dataset)}


@pytest.mark.parametrize("form", ["hdf5", "matlab-5"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(), images=st.integers(0, 50), text=st.integers(0, 50), fill=st.sampled_from(["zero", "mean"])
)
def test_a_rewritten_file_equals_the_applied_plan(tmp_path, form, data, images, text, fill):
    rows = np.array(data.draw(st.permutations(range(N))))[: data.draw(st.integers(20, N - 1))]
    plan = plan_unpairing(len(rows), unpaired_images=images, unpaired_text=text)
    values = {"images": arrays()["XAll"], "text": arrays()["YAll"], "label": arrays()["LAll"]}
    source, target, again = tmp_path / "in", tmp_path / "out", tmp_path / "again"
    if form == "hdf5":
        write_hdf5(source, values, {"chunks": 7, "compression": "gzip"})
    else:
        save_mat5(source, values)
    axes = {"images": 0, "text": 0}
    unpair_file(source, target, plan, rows=rows, fill=fill, item_axis=axes, overwrite=True)
    unpair_file(target, again, plan, rows=rows, item_axis=axes, overwrite=True)
    unpaired = plan.apply(values["images"], values["text"], rows=rows, fill=fill)
    zeros = plan.apply(values["images"], values["text"], rows=rows)
    for path, result in ((target, unpaired), (again, zeros)):  # removing what is removed changes nothing
        read = read_back(path, form)
        for key, applied in (("images", result.images), ("text", result.texts)):
            whole = values[key].copy()
            whole[result.index] = applied
            np.testing.assert_array_equal(read[key], whole)


def test_a_digest_of_the_old_content_is_left_out(tmp_path):
    source, target = tmp_path / "in.h5", tmp_path / "out.h5"
    write_hdf5(source, arrays(), {})
    with h5py.File(source, "r+") as file:
        file.attrs.update({"digest": "of the source", "name": "small"})
    unpair_file(source, target, PLAN, rows=ROWS)
    with h5py.File(target) as file:
        assert dict(file.attrs) == {"name": "small"}


def test_dropped_rows_keep_their_values_and_lose_their_masks(tmp_path):
    source, target = tmp_path / "in.h5", tmp_path / "out.h5"
    write_hdf5(source, arrays(), {})
    unpair_file(source, target, plan_unpairing(40, discard=25, block=4), rows=ROWS)
    read = read_back(target, "hdf5")
    np.testing.assert_array_equal(read["IAll"], arrays()["IAll"])
    for key in ("image_present", "text_present"):
        np.testing.assert_array_equal(np.flatnonzero(read[key] == 0), ROWS[::4])


@pytest.mark.parametrize("columns", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("form", ["hdf5", "gzip", "matlab-5"])
def test_digests_of_removed_and_other_items(tmp_path, form, columns):
    source, target = tmp_path / "in", tmp_path / "out"
    data = arrays()
    turn = np.transpose if columns else np.asarray
    values = {key: turn(data[key]) for key in ("XAll", "YAll")}
    if form == "matlab-5":
        save_mat5(source, values)
    else:
        write_hdf5(source, values, STORAGES["gzip"] if form == "gzip" else {})
    report = unpair_file(source, target, PLAN, rows=ROWS, digests=True)
    order = "F" if form == "matlab-5" else "C"
    for array, rows in zip(report.arrays, (NO_IMAGE, NO_TEXT), strict=True):
        mask = np.isin(np.arange(N), rows)
        read = turn(removed(data)[array.key])
        expected = tuple(
            hashlib.sha256(np.compress(chosen, read, axis=array.item_axis).tobytes(order)).hexdigest()
            for chosen in (mask, ~mask)
        )
        assert array.digests == expected
    assert unpair_file(source, tmp_path / "b", PLAN, rows=ROWS).arrays[0].digests is None


@pytest.mark.parametrize("form", ["hdf5", "matlab-5"])
def test_without_masks_and_without_verifying(tmp_path, form):
    source, target = tmp_path / "in", tmp_path / "out"
    values = {"XAll": arrays()["XAll"]}
    write_hdf5(source, values, {}) if form == "hdf5" else save_mat5(source, values)
    report = unpair_file(source, target, PLAN, rows=ROWS, masks=False, verify=False)
    assert not report.verified
    read = read_back(target, form)
    np.testing.assert_array_equal(read["XAll"], removed(arrays())["XAll"])
    assert "image_present" not in read


@pytest.mark.parametrize("form", ["hdf5", "gzip", "matlab-5"])
def test_damage_while_writing_is_noticed(tmp_path, monkeypatch, form):
    from cmh_files import patched_copy
    from cmh_files.hdf5 import rewrite as hdf5_rewrite
    from cmh_files.mat5 import rewrite as mat5_rewrite

    source, target = tmp_path / "in", tmp_path / "out"
    values = {"XAll": arrays()["XAll"]}
    if form == "matlab-5":
        save_mat5(source, values)
    else:
        write_hdf5(source, values, STORAGES["gzip"] if form == "gzip" else {})
    real_write, real_rewrite, real_mat5 = patched_copy.write_step, hdf5_rewrite.rewrite, mat5_rewrite.rewrite

    def write_step(reader, new, start, stop, patches):
        real_write(reader, new, start, stop, patches)
        new.seek(stop - 40)
        new.write(b"damage")

    def rewrite(file, place, value):
        real_rewrite(file, place, value)
        file["XAll"][3] = 7

    def rewrite_mat5(old, new, places, extra):
        sums = real_mat5(old, new, places, extra)
        new.seek(400)
        new.write(b"damage")
        return sums

    if form == "hdf5":
        monkeypatch.setattr(patched_copy, "write_step", write_step)
    monkeypatch.setattr(hdf5_rewrite, "rewrite", rewrite)
    monkeypatch.setattr(mat5_rewrite, "rewrite", rewrite_mat5)
    target.write_bytes(b"the old target")
    with pytest.raises(OSError, match="differ"):
        unpair_file(source, target, PLAN, rows=ROWS, overwrite=True)
    assert target.read_bytes() == b"the old target"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot stop a process with SIGKILL")
@pytest.mark.parametrize("old_target", [True, False])
def test_a_killed_run_leaves_the_old_target_or_none(tmp_path, old_target):
    source, target = tmp_path / "in.h5", tmp_path / "out.h5"
    write_hdf5(source, arrays(), STORAGES["gzip"])
    if old_target:
        target.write_bytes(b"the old target")
    code = f"""
        import time
        from cmh_files import rewriting
        from cmh_files.hdf5 import rewrite
        from cmh_unpair import plan_unpairing, unpair_file

        def stop(*arguments, **options):
            print("writing", flush=True)
            time.sleep(60)

        rewriting.child.Helper.copy_edited = staticmethod(rewrite.copy_edited)  # here, to be killed
        rewrite.write_extra = stop
        plan = plan_unpairing(40, unpaired_text=20)
        unpair_file({str(source)!r}, {str(target)!r}, plan, rows=range(40), overwrite=True)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert (target.read_bytes() == b"the old target") if old_target else not target.exists()
    unpair_file(source, target, PLAN, rows=ROWS, overwrite=True)  # what the killed run left is replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5", "out.h5"]


@pytest.mark.skipif(
    not hasattr(os, "posix_fallocate"), reason="HDF5 fails badly where room cannot be asked for"
)
@pytest.mark.parametrize(
    ("form", "share"), [("hdf5", 0.3), ("hdf5", 1), ("gzip", 0.3), ("matlab-5", 0.3), ("matlab-5", 1)]
)
def test_a_full_disk_leaves_the_old_target(tmp_path, form, share):
    source, target = tmp_path / "in", tmp_path / "out"
    values = {"XAll": np.random.default_rng(0).random((N, 500))}
    if form == "matlab-5":
        save_mat5(source, values)
    else:
        write_hdf5(source, values, STORAGES["gzip rows"] if form == "gzip" else {})
    target.write_bytes(b"the old target")
    code = f"""
        import resource, signal
        from cmh_unpair import plan_unpairing, unpair_file

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, ({int(source.stat().st_size * share) + 16},) * 2)
        plan = plan_unpairing({N}, unpaired_text=20)
        try:
            unpair_file({str(source)!r}, {str(target)!r}, plan, item_axis={{"XAll": 0}}, overwrite=True)
        except OSError:
            print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("refused\n", 0), done.stderr
    assert target.read_bytes() == b"the old target"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_without_a_target_the_file_is_only_checked(tmp_path):
    write_hdf5(tmp_path / "in.h5", arrays(), {})
    report = unpair_file(tmp_path / "in.h5", None, PLAN, rows=ROWS, digests=True)
    assert (report.target, report.verified) == (None, False)
    assert {array.key: array.emptied for array in report.arrays} == {"IAll": 8, "XAll": 8, "YAll": 12}
    with pytest.raises(ValueError, match="rows must be 40 whole numbers"):
        unpair_file(tmp_path / "in.h5", None, PLAN, rows=ROWS[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]


def test_rows_in_keep_keep_their_values_and_only_the_masks_tell(tmp_path):
    source, target = tmp_path / "in.h5", tmp_path / "out.h5"
    write_hdf5(source, arrays(), {})
    report = unpair_file(source, target, PLAN, rows=ROWS, keep=NO_TEXT[:5])
    assert {array.key: array.emptied for array in report.arrays} == {"IAll": 8, "XAll": 8, "YAll": 7}
    read = read_back(target, "hdf5")
    expected = removed(arrays())
    expected["YAll"][NO_TEXT[:5]] = arrays()["YAll"][NO_TEXT[:5]]
    for key, values in expected.items():
        np.testing.assert_array_equal(read[key], values)
    np.testing.assert_array_equal(np.flatnonzero(read["text_present"] == 0), NO_TEXT)


@pytest.mark.parametrize("form", ["hdf5", "matlab-5", "npz"])
def test_what_the_file_calls_missing_stays_missing(tmp_path, form):
    source, target = tmp_path / "in", tmp_path / "out"
    values = {"XAll": arrays()["XAll"], "YAll": arrays()["YAll"]}
    values["text_present"] = (np.arange(N) % 9 != 0).astype(np.uint8)
    if form == "hdf5":
        write_hdf5(source, values, {})
    elif form == "npz":
        with source.open("wb") as file:
            np.savez(file, **values)
    else:
        save_mat5(source, values)
    unpair_file(source, target, PLAN, rows=ROWS)
    found = dict(np.load(target)) if form == "npz" else read_back(target, form)
    expected = np.setdiff1d(np.flatnonzero(values["text_present"]), NO_TEXT)
    np.testing.assert_array_equal(np.flatnonzero(found["text_present"]), expected)
    np.testing.assert_array_equal(np.flatnonzero(found["image_present"] == 0), NO_IMAGE)
    values["text_present"] = np.ones(7, np.uint8)
    with source.open("wb") as file:
        np.savez(file, **values)
    with pytest.raises(ValueError, match="text_present must have one value per row, 57, but the file"):
        unpair_file(source, target, PLAN, rows=ROWS, overwrite=True)


BAD = [
    ({"keep": [57]}, r"keep must name rows from 0 to 56"),
    ({"keep": [0.5]}, r"keep must name rows from 0 to 56"),
    ({"keep": [7], "masks": False}, r"masks must be True because rows in keep"),
    ({"text_key": [], "plan": plan_unpairing(40, unpaired_images=30)}, r"plan must empty something in this"),
    (
        {"source": "names.h5"},
        r"text_key must name the text array because the plan removes 12 .* words \(57, 13\)",
    ),
    (
        {"rows": None},
        r"rows must be given because no axis of .* has the 40 rows of the plan; .* rows=range.40.",
    ),
    ({"rows": ROWS[:-1]}, r"rows must be 40 whole numbers"),
    ({"rows": ROWS + 20}, r"must have one number of items shared by .* but it has none"),
    ({"image_key": "pixels"}, r"image_key must be one of .* but it is 'pixels'"),
    ({"text_key": "missing"}, r"text_key must be one of"),
    ({"item_axis": {"IAll": 7}}, r"item_axis must name axes of .* but it is 'IAll': 7"),
    (
        {"protect": np.arange(6)},
        r"protect must name rows that stay whole, but 1 of them are training rows whose text would be",
    ),
    ({"protect": [99]}, r"protect must name rows from 0 to 56, but it names 99 to 99"),
    ({"marker": "both"}, r"marker must be 'none' unless the arrays have two axes, but IAll is"),
    ({"marker": "label"}, r"marker must be 'none', 'text' or 'both', but it is 'label'"),
    ({"fill": "noise"}, r"fill must be 'zero' or 'mean'"),
    (
        {"plan": plan_unpairing(40, shuffle=50, seed=0)},
        r"plan must be one without shuffled rows, but it has some",
    ),
    (
        {"plan": plan_unpairing(40, discard=50), "masks": False},
        r"masks must be True because the plan drops",
    ),
    (
        {"plan": plan_unpairing(40, unpaired_text=100), "fill": "mean"},
        r"fill must be 'zero' because .* keeps no item",
    ),
    ({"source": "nowhere"}, r"source must be a file, but nowhere is none"),
    ({"source": "text"}, r"text must be an HDF5, MATLAB 5, MATLAB 7.3 or npz file"),
    ({"source": "empty.h5"}, r"must hold an array of images .* but it holds param/indexQuery; name one"),
    ({"source": "square.h5"}, r"YAll .57, 57. has 57 on several axes"),
    ({"source": "twins.h5"}, r"must have one number of items .* but it has \[57, 60\]"),
    ({"source": "cut.mat"}, r"cut.mat: the MATLAB 5 file is damaged or cut off at byte 128"),
    ({"source": "external.h5"}, r"external.h5 stores /XAll in another file; copy the data itself"),
    (
        {"source": "sparse.mat", "fill": "mean"},
        r"YAll must be a full array to take a marker, .* but it is a sparse matrix",
    ),
    ({"target": "in.h5"}, r"target must be another file than the source, but both are"),
    ({"target": "no/folder.h5"}, r"target must be in an existing folder"),
]


def make_external(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("XAll", (N, 2), "f8", external=[(str(path.with_suffix(".raw")), 0, 16 * N)])[
            :
        ] = 1


def make_cut(path):
    scipy.io.savemat(path, {"YAll": np.ones((N, 60))})
    os.truncate(path, 900)


MAKERS = {
    "names.h5": lambda path: write_hdf5(path, {"IAll": arrays()["IAll"], "words": arrays()["YAll"]}, {}),
    "text": lambda path: path.write_text("no data"),
    "empty.h5": lambda path: write_hdf5(path, {}, {}),
    "square.h5": lambda path: write_hdf5(path, {"YAll": np.eye(N)}, {}),
    "twins.h5": lambda path: write_hdf5(path, {"YAll": np.ones((N, 60))}, {}),
    "cut.mat": make_cut,
    "sparse.mat": lambda path: scipy.io.savemat(path, {"YAll": scipy.sparse.csc_array(arrays()["YAll"])}),
    "external.h5": make_external,
}


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_refused_with_the_reason(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_hdf5(tmp_path / "in.h5", arrays(), {})
    name = arguments.get("source")
    if name in MAKERS:
        MAKERS[name](tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        unpair_file(**{"source": "in.h5", "target": "out.h5", "plan": PLAN, "rows": ROWS} | arguments)
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_target_is_kept_unless_asked(tmp_path):
    write_hdf5(tmp_path / "in.h5", arrays(), {})
    (tmp_path / "out.h5").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="exists; choose another name or pass overwrite=True"):
        unpair_file(tmp_path / "in.h5", tmp_path / "out.h5", PLAN, rows=ROWS)
    assert (tmp_path / "out.h5").read_bytes() == b"old"
