"""`.npz` files are rewritten and read back by plain NumPy and SciPy."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest
import scipy.sparse
from cmh_files import DataError
from cmh_unpair import UnpairingPlan, plan_unpairing, published_2022_plan, unpair_file

N = 57
ROWS = np.arange(5, 45)
PLAN = plan_unpairing(40, unpaired_images=30, unpaired_text=20, block=10)
NO_TEXT, NO_IMAGE = ROWS[~PLAN.text_present], ROWS[~PLAN.image_present]


def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(-99, 99, (N, 8)).astype(">f4") / 8,
        "text": rng.integers(1, 9, (N, 13)).astype(np.uint8),
        "labels": np.eye(4, dtype=np.int64)[rng.integers(0, 4, N)],
        "names": np.array([f"item {row}" for row in range(N)]),
    }


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("turn", [np.ascontiguousarray, np.asfortranarray, np.transpose])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_everything_but_the_removed_items_stays(tmp_path, save, turn, fill):
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    data = arrays()
    save(source, **{key: turn(values) for key, values in data.items()})
    report = unpair_file(source, target, PLAN, rows=ROWS, fill=fill, digests=True)
    assert report.format == "npz"
    assert {array.key: array.emptied for array in report.arrays} == {"image": 8, "text": 12}
    expected = {key: values.copy() for key, values in data.items()}
    for key, rows in (("image", NO_IMAGE), ("text", NO_TEXT)):
        mean = data[key][np.setdiff1d(ROWS, rows)].astype(float).mean(axis=0)
        expected[key][rows] = 0 if fill == "zero" else mean if key == "image" else np.rint(mean)
    with np.load(target) as found, np.load(source) as before:
        assert set(found) == {*before, "image_present", "text_present", "unpairing_plan"}
        for key, values in expected.items():
            np.testing.assert_array_equal(found[key], turn(values), strict=True)
            assert found[key].flags.f_contiguous == before[key].flags.f_contiguous
        np.testing.assert_array_equal(np.flatnonzero(found["text_present"] == 0), NO_TEXT)
        assert UnpairingPlan.from_json(found["unpairing_plan"].tobytes()) == PLAN
        order = "F" if found["image"].flags.f_contiguous else "C"
        for array, rows in zip(report.arrays, (NO_IMAGE, NO_TEXT), strict=True):
            mask = np.isin(np.arange(N), rows)
            stored = [np.compress(m, found[array.key], axis=array.item_axis) for m in (mask, ~mask)]
            assert array.digests == tuple(hashlib.sha256(s.tobytes(order)).hexdigest() for s in stored)
    packed = {info.filename: info.compress_type for info in zipfile.ZipFile(source).infolist()}
    kept = {info.filename: info.compress_type for info in zipfile.ZipFile(target).infolist()}
    assert packed.items() <= kept.items()


@pytest.mark.parametrize("turn", [np.ascontiguousarray, np.asfortranarray, np.transpose])
def test_a_marker_and_integers(tmp_path, turn):
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    data = arrays()
    np.savez(source, **{key: turn(values) for key, values in data.items()})
    unpair_file(source, target, PLAN, rows=ROWS, marker="both")
    with np.load(target) as found:
        for key, rows in (("image", NO_IMAGE), ("text", NO_TEXT)):
            read = found[key] if turn is not np.transpose else found[key].T
            assert read.shape == (N, data[key].shape[1] + 1)
            np.testing.assert_array_equal(np.flatnonzero(read[:, -1]), rows)
            assert not read[rows, :-1].any()
    plan = published_2022_plan(40, unpaired_text=20, integer_cast=True)
    unpair_file(source, target, plan, rows=ROWS, overwrite=True)
    with np.load(target) as found:
        read = found["image"] if turn is not np.transpose else found["image"].T
        assert read.dtype == np.int64
        rows = ROWS[plan.image_present]
        np.testing.assert_array_equal(read[rows], data["image"][rows].astype(int))


@pytest.mark.parametrize("with_values", [False, True])
def test_a_sparse_table_of_rows_loses_the_entries_of_removed_rows(tmp_path, with_values):
    words = scipy.sparse.random_array((N, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    parts = {"indptr": words.indptr, "indices": words.indices, "shape": np.array(words.shape)}
    if with_values:
        parts["data"] = words.data
    np.savez(tmp_path / "in.npz", labels=arrays()["labels"], **parts)
    report = unpair_file(tmp_path / "in.npz", tmp_path / "out.npz", PLAN, rows=ROWS, digests=True)
    assert [(array.key, array.emptied, array.digests) for array in report.arrays] == [("indptr", 12, None)]
    with np.load(tmp_path / "out.npz") as found:
        data = found["data"] if with_values else np.ones(len(found["indices"]))
        read = scipy.sparse.csr_array((data, found["indices"], found["indptr"]), shape=words.shape).toarray()
    expected = words.toarray() if with_values else (words.toarray() != 0).astype(float)
    expected[NO_TEXT] = 0
    np.testing.assert_array_equal(read, expected)
    with pytest.raises(ValueError, match=r"indptr must be a full array .* but it is a sparse table"):
        unpair_file(tmp_path / "in.npz", tmp_path / "b.npz", PLAN, rows=ROWS, marker="text")


def test_scipys_own_file_of_a_sparse_table(tmp_path):
    words = scipy.sparse.random_array((40, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    scipy.sparse.save_npz(tmp_path / "in.npz", words)
    unpair_file(tmp_path / "in.npz", tmp_path / "out.npz", PLAN)
    expected = words.toarray()
    expected[~PLAN.text_present] = 0
    np.testing.assert_array_equal(scipy.sparse.load_npz(tmp_path / "out.npz").toarray(), expected)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    np.savez_compressed(tmp_path / "in.npz", **arrays())
    for name in ("a.npz", "b.npz"):
        unpair_file(tmp_path / "in.npz", tmp_path / name, PLAN, rows=ROWS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_damage_while_writing_is_noticed(tmp_path, monkeypatch):
    from cmh_files.npz import rewrite

    np.savez(tmp_path / "in.npz", **arrays())
    real = rewrite.edited_blocks

    def damaged(*arguments, **options):
        for data in real(*arguments, **options):
            yield data[:-1] + b"!"

    monkeypatch.setattr(rewrite, "edited_blocks", damaged)
    with pytest.raises(OSError, match="differs from what it should be"):
        unpair_file(tmp_path / "in.npz", tmp_path / "out.npz", PLAN, rows=ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npz"]


def test_files_that_cannot_be_rewritten(tmp_path):
    np.save(tmp_path / "one.npy", arrays()["text"])
    with pytest.raises(DataError, match=r"one.npy must be .* npz file.*; save its array with a name, as npz"):
        unpair_file(tmp_path / "one.npy", tmp_path / "out.npz", PLAN, rows=ROWS)
    with (tmp_path / "pickle.npz").open("wb") as file:
        np.savez(file, text=arrays()["text"], extra=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"holds Python objects \(pickle\) in extra"):
        unpair_file(tmp_path / "pickle.npz", tmp_path / "out.npz", PLAN, rows=ROWS)
    content = (tmp_path / "one.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("text.npy", content)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("text.npy", content)
    with pytest.raises(DataError, match=r"holds text.npy twice"):
        unpair_file(tmp_path / "twice.npz", tmp_path / "out.npz", PLAN, rows=ROWS)
    assert not (tmp_path / "out.npz").exists()
