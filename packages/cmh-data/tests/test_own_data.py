"""Own data as people have them: labels, splits, axes, sparse tables, tables of sides, edited files."""

from __future__ import annotations

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

N = 60


def arrays(n=N, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    label = np.eye(classes, dtype=np.uint8)[np.arange(n) % classes]
    image = (label @ rng.normal(size=(classes, 8)) + 0.2 * rng.normal(size=(n, 8))).astype(np.float32)
    text = (label @ rng.normal(size=(classes, 6)) + 0.2 * rng.normal(size=(n, 6))).astype(np.float32)
    return {"image": image, "text": text, "labels": label}


SPLIT = {"train": np.arange(40), "query": np.arange(50, N)}


def matlab73(path, content):
    """As MATLAB writes it: axes reversed, vectors as rows."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for key, value in content.items():
            stored = np.ascontiguousarray(np.atleast_2d(value).T)
            file.create_dataset(key, data=stored).attrs["MATLAB_class"] = np.bytes_("double")
    return path


def write(path, content):
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, content)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for key, value in content.items():
                file[key] = value.astype(h5py.string_dtype()) if value.dtype.kind == "U" else value
    else:
        matlab73(path, content)
    return path


CLASSES = np.arange(N) % 3
LABELS = {
    "class numbers from 0": (CLASSES, 3),
    "a column from 1": (CLASSES[:, None] + 1, 3),
    "a row from 1": (CLASSES[None] + 1.0, 3),
    "-1 and +1": (np.eye(3, dtype=np.int8)[CLASSES] * 2 - 1, 3),
    "numbers of any kind": (np.array([3, 70, 900])[CLASSES], 3),
    "two classes": ((CLASSES > 1).astype(int)[:, None], 2),
    "two classes, -1 and +1": ((CLASSES > 1) * 2.0 - 1, 2),
}


@pytest.mark.parametrize("ending", ["npz", "mat", "h5", "mat73"])
@pytest.mark.parametrize("form", LABELS)
def test_labels_of_every_kind_in_every_container(tmp_path, form, ending):
    labels, width = LABELS[form]
    data = cmh_data.load(write(tmp_path / f"a.{ending}", arrays() | SPLIT | {"labels": labels}))
    expected = np.eye(3, dtype=np.uint8)[CLASSES]
    if width == 2:
        expected = np.stack([CLASSES < 2, CLASSES > 1], axis=1).astype(np.uint8)
    np.testing.assert_array_equal(data.label, expected)
    assert any(note.startswith("labels: ") for note in data.provenance["notes"])


@pytest.mark.parametrize("ending", ["npz", "h5", "mat"])
def test_class_names_become_columns(tmp_path, ending):
    names = np.array(["art", "music; war", "music"])[CLASSES]
    data = cmh_data.load(write(tmp_path / f"a.{ending}", arrays() | SPLIT | {"labels": names}))
    assert data.label_names == ("art", "music", "war")
    assert data.label[:3].tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 0]]


def test_labels_of_queries_and_database_are_read_together():
    found = cmh_data.read_labels([2, 0], [[1], [3]])
    assert [table.tolist() for table in found.tables] == [
        [[0, 0, 1, 0], [1, 0, 0, 0]],
        [[0, 1, 0, 0], [0, 0, 0, 1]],
    ]
    assert cmh_data.read_labels(np.zeros((3, 0))).tables[0].shape == (3, 0)
    plain = cmh_data.read_labels(np.array([[1, 0], [0, 1]], float))
    assert (plain.notes, plain.tables[0].dtype) == ((), np.uint8)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 2], [1, 0]], "labels must be 0 or 1, but row 0, column 1 holds 2"),
        ([[0.5, 0.5], [1, 0]], "row 0, column 0 holds 0.5"),
        ([0.5, 1], "whole class numbers"),
        ([np.nan, 1], "whole class numbers"),
        ([-1, 0, 2], "class numbers from 0 on, but they run from -1 to 2"),
        (np.arange(20_000, 20_100), "100 rows have 100 different numbers"),
        (np.ones((2, 2, 2)), "tables of one width or vectors"),
        (np.array([1j]), "must hold numbers or names"),
        ([], "at least one row"),
    ],
)
def test_labels_that_are_none(labels, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.read_labels(labels)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_class_numbers_give_one_one_in_each_row(classes):
    table = cmh_data.read_labels(classes).tables[0]
    assert table.sum(axis=1).tolist() == [1] * len(classes)
    if min(classes) <= 1:
        assert (table.argmax(axis=1) + min(classes)).tolist() == classes


def mask(rows):
    return np.isin(np.arange(N), rows)


TRAIN, QUERY = SPLIT["train"], SPLIT["query"]
SPLITS = {
    "boolean masks": {"train": mask(TRAIN), "query": mask(QUERY)},
    "masks of 0 and 1": {"train": mask(TRAIN).astype(float), "query": mask(QUERY).astype(np.uint8)},
    "columns": {"train": TRAIN[:, None], "query": QUERY[:, None]},
    "rows": {"train": TRAIN[None], "query": QUERY[None]},
    "other names": {"train_idx": TRAIN, "test_idx": QUERY, "database": np.arange(50)},
    "MATLAB names": {
        "indexTrain": TRAIN + 1.0,
        "indexQuery": QUERY + 1.0,
        "indexDatabase": np.arange(50) + 1.0,
    },
    "is_": {"is_train": mask(TRAIN), "is_test": mask(QUERY)},
    "queries in the database": {"train": TRAIN, "query": QUERY, "retrieval": np.arange(N)},
    "validation too": {"train": TRAIN, "val": np.arange(40, 50), "test": QUERY},
}


@pytest.mark.parametrize("ending", ["npz", "h5", "mat", "mat73"])
@pytest.mark.parametrize("form", SPLITS)
def test_splits_as_people_have_them(tmp_path, form, ending):
    path = write(tmp_path / f"a.{ending}", arrays() | {key: np.asarray(v) for key, v in SPLITS[form].items()})
    data = cmh_data.load(path)
    assert data.split.query.tolist() == QUERY.tolist()
    assert data.split.train.tolist() == TRAIN.tolist()
    assert data.split.retrieval.tolist() == list(range(50))
    assert not any("not read" in note for note in data.provenance["notes"])


def test_one_word_for_each_row_is_a_split(tmp_path):
    words = np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10)
    data = cmh_data.load(write(tmp_path / "a.npz", arrays() | {"split": words}))
    assert (data.split.train.tolist(), data.split.query.tolist()) == (TRAIN.tolist(), QUERY.tolist())


def test_row_numbers_from_1_that_never_reach_the_last_row_are_a_finding(tmp_path):
    path = write(tmp_path / "a.npz", arrays() | {"train": np.arange(1, 41), "query": np.arange(45, 55)})
    data = cmh_data.load(path)
    assert "counted from 1? Then read it with --first-row 1" in data.findings[0]
    assert "counted from 1" in " ".join(cmh_data.inspect(path).problems)
    shifted = cmh_data.load(path, first_row=1)
    assert (shifted.split.train[0], shifted.split.query[0]) == (0, 44)
    assert not any("counted from 1?" in finding for finding in shifted.findings)
    assert cmh_data.load(path, first_row=0).split.query[0] == 45


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({}, r"has no train and query rows .* it holds image \(60, 8\) float32, .* --split-seed 0"),
        ({"train": TRAIN}, "has no query rows"),
        ({"train": mask(TRAIN)[:50], "query": QUERY}, "train is a mask of 50 entries, but there are 60 rows"),
        (
            {"train": TRAIN, "test": QUERY, "query_idx": QUERY},
            "two arrays for the query rows, test and query_idx",
        ),
    ],
)
def test_splits_that_are_none_name_what_is_there(tmp_path, split, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(write(tmp_path / "a.npz", arrays() | split))


def test_a_split_is_drawn_for_any_data(tmp_path):
    content = arrays()
    content["image"][1::2] = content["image"][::2]  # every picture twice
    content["labels"][10:12] = 0
    path = write(tmp_path / "a.npz", content)
    split = cmh_data.DrawnSplit(n_query=5, seed=3)
    data = cmh_data.load(path, split=split, unlabelled="keep")
    again = cmh_data.load(path, split=split, unlabelled="keep")
    assert data.split.digest == again.split.digest
    assert not set(data.split.query // 2) & set(data.split.train // 2)
    assert len(data.split.query) == 10
    other = cmh_data.load(path, split=cmh_data.DrawnSplit(n_query=5, seed=4), unlabelled="keep")
    assert other.split.digest != data.split.digest
    assert any("split: DrawnSplit(n_query=5" in note for note in data.provenance["notes"])
    with pytest.raises(cmh_data.DataError, match="either a protocol or a drawn split"):
        cmh_data.load(path, split=split, protocol="umml")
    with pytest.raises(cmh_data.DataError, match="70 queries and 1 training rows cannot be drawn"):
        cmh_data.load(path, split=cmh_data.DrawnSplit(n_query=70, n_train=1), unlabelled="keep")
    assert len(cmh_data.load("emoji", split=cmh_data.DrawnSplit(n_query=30)).split.query) >= 30


@given(st.integers(0, 1000), st.integers(1, 20), st.integers(1, 30))
@settings(max_examples=30)
def test_stratified_splits_hold_each_class_in_proportion(seed, n_query, n_train):
    strata = np.repeat([0, 1, 2], [30, 15, 5])
    split = cmh_data.random_split(50, n_query=n_query, n_train=n_train, seed=seed, strata=strata)
    for rows, n in ((split.query, n_query), (split.train, n_train)):
        counts = np.bincount(strata[rows], minlength=3)
        assert np.abs(counts - n * np.array([0.6, 0.3, 0.1])).max() <= 2
    assert not set(split.query) & set(split.train)


def test_queries_of_data_without_a_pair_come_from_both_sides(tmp_path):
    rows = np.arange(N)
    content = arrays() | {"image_present": rows < 40, "text_present": rows >= 40}
    path = write(tmp_path / "a.npz", content)
    data = cmh_data.load(path, split=cmh_data.DrawnSplit(n_query=12, keep_together="nothing"))
    assert int((data.split.query < 40).sum()) == 8


def test_labels_are_optional(tmp_path):
    content = {key: value for key, value in arrays().items() if key != "labels"} | SPLIT
    data = cmh_data.load(write(tmp_path / "a.npz", content))
    assert data.label.shape == (N, 0)
    assert data.findings[0].startswith("there are no labels")
    back = cmh_data.load(cmh_data.save(data, tmp_path / "a.h5"))
    assert back.digest == data.digest == back.compute_digest()
    assert cmh_data.inspect(tmp_path / "a.h5").rows == N


@pytest.mark.parametrize("ending", ["mat", "mat73", "h5"])
def test_tables_stored_sideways_are_turned(tmp_path, ending):
    content = arrays()
    turned = {"image": content["image"].T, "text": content["text"], "labels": content["labels"].T} | SPLIT
    data = cmh_data.load(write(tmp_path / f"a.{ending}", turned))
    np.testing.assert_array_equal(data.image, content["image"])
    np.testing.assert_array_equal(data.label, content["labels"])


FORMATS = {
    "csr": scipy.sparse.csr_array, "csc": scipy.sparse.csc_array, "coo": scipy.sparse.coo_array,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8])
def test_sparse_tables_keep_their_values(tmp_path, form, dtype):
    text = (arrays()["text"] * 20).astype(dtype)
    text[text < 5] = 0
    scipy.sparse.save_npz(tmp_path / "text.npz", FORMATS[form](text))
    with np.load(tmp_path / "text.npz") as parts:
        content = {key: parts[key] for key in parts.files}
    rest = {key: value for key, value in arrays().items() if key != "text"} | SPLIT
    data = cmh_data.load(write(tmp_path / "a.npz", rest | content))
    np.testing.assert_array_equal(data.text, text)
    renamed = {f"text_{key}": value for key, value in content.items()}
    np.testing.assert_array_equal(cmh_data.load(write(tmp_path / "b.npz", rest | renamed)).text, text)


def test_a_folder_with_a_sparse_file_of_its_own(tmp_path):
    content = arrays() | SPLIT
    scipy.sparse.save_npz(tmp_path / "text.npz", scipy.sparse.csr_array(content.pop("text") > 0))
    for key, value in content.items():
        np.save(tmp_path / f"{key}.npy", value)
    np.testing.assert_array_equal(cmh_data.load(tmp_path).text, arrays()["text"] > 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.array("bsr")}, "a sparse table of the format 'bsr'; save it as csr, csc or coo"),
        ({"indices": np.array([7, 0])}, "do not fit its shape 60 x 6"),
        ({"data": np.ones(5)}, "do not fit its shape 60 x 6"),
        ({"shape": np.array([60])}, "shape must hold two numbers"),
        ({"shape": np.array([60, 10**12])}, "that is not a real array"),
    ],
)
def test_sparse_tables_that_do_not_fit(tmp_path, change, message):
    parts = {
        "data": np.ones(2), "indices": np.array([1, 5]), "indptr": np.r_[0, np.full(N, 2)],
        "shape": np.array([N, 6]), "format": np.array("csr"),
    }  # fmt: skip
    rest = {key: value for key, value in arrays().items() if key != "text"} | SPLIT
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(write(tmp_path / "a.npz", rest | parts | change))


@pytest.mark.parametrize("ending", ["mat", "npz", "h5"])
@pytest.mark.parametrize(
    "names",
    [
        {"I": "I_{}", "T": "T_{}", "L": "L_{}", "tr": "tr", "te": "te", "db": "db"},
        {"I": "{}Img", "T": "{}Txt", "L": "{}Label", "tr": "train", "te": "test", "db": "database"},
        {"I": "image_{}", "T": "text_{}", "L": "label_{}", "tr": "train", "te": "query", "db": "retrieval"},
    ],
)
@pytest.mark.parametrize("files", [1, 3])
def test_nine_tables_rank_the_database(tmp_path, ending, names, files):
    content = arrays()
    rows = {"db": np.arange(50), "tr": np.r_[3, 1, 20:30], "te": np.arange(50, N)}
    views = {"I": content["image"], "T": content["text"], "L": content["labels"]}
    tables = {
        side: {names[view].format(names[side]): views[view][rows[side]] for view in views} for side in rows
    }
    if files == 1:
        path = write(tmp_path / f"a.{ending}", tables["db"] | tables["tr"] | tables["te"])
    else:
        path = tmp_path
        for side, found in tables.items():
            write(tmp_path / f"mir_{names[side]}.{ending}", found)
    data = cmh_data.load(path)
    assert data.split.retrieval.tolist() == list(range(50))
    assert data.split.train.tolist() == [3, 1, *range(20, 30)]
    np.testing.assert_array_equal(data.image[data.split.query], content["image"][50:])
    assert "12 of 12 training rows are rows of the database." in data.provenance["notes"]
    assert len(data) == N


def test_the_same_keys_in_three_files_named_by_side(tmp_path):
    content = arrays()
    for side, rows in (("train", slice(0, 40)), ("database", slice(0, 50)), ("test", slice(50, N))):
        write(tmp_path / f"set_{side}.npz", {key: value[rows] for key, value in content.items()})
    data = cmh_data.load(tmp_path)
    assert (len(data), len(data.split.retrieval), len(data.split.train)) == (N, 50, 40)


def test_training_rows_outside_the_database_train_and_are_not_ranked(tmp_path):
    content = arrays()
    rows = {"db": slice(0, 30), "tr": slice(20, 50), "te": slice(50, N)}
    views = {"I": "image", "T": "text", "L": "labels"}
    tables = {f"{view}_{side}": content[views[view]][rows[side]] for view in views for side in rows}
    data = cmh_data.load(write(tmp_path / "a.npz", tables))
    assert len(data) == N
    assert data.split.train.tolist() == list(range(20, 50))
    assert data.split.retrieval.tolist() == list(range(30))
    assert "20 training rows are not rows of the database; they are not ranked." in data.provenance["notes"]


def test_everything_that_was_not_read_is_named(tmp_path):
    extra = {"meta": np.ones(3), "other": np.ones((4, 4))}
    for name, content in (
        ("a", arrays() | SPLIT),
        ("b", {f"{k}_{s}": v for k, v in arrays().items() for s in ("tr", "te")}),
    ):
        data = cmh_data.load(write(tmp_path / f"{name}.npz", content | extra))
        assert "not read: meta, other." in data.provenance["notes"]


@pytest.mark.parametrize("key", ["image", "text", "labels", "query"])
def test_an_own_file_edited_in_place_is_new_data(tmp_path, key):
    path = cmh_data.save(cmh_data.load(write(tmp_path / "a.npz", arrays() | SPLIT)), tmp_path / "a.h5")
    before = cmh_data.load(path)
    assert not any("edited" in finding for finding in before.findings)
    with h5py.File(path, "r+") as file:
        file[key][:] = np.roll(file[key][:], 1, axis=0)
    after = cmh_data.load(path)
    assert "The file was edited after it was made" in after.findings[0]
    assert after.digest == after.compute_digest() != before.digest
    assert any("it was changed" in problem for problem in cmh_data.inspect(path).problems)


def test_own_pixels_edited_in_place_are_new_data(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (N, 3, 4, 4), np.uint8)
    source = write(tmp_path / "a.npz", arrays() | SPLIT | {"image": pixels})
    path = cmh_data.save(cmh_data.load(source), tmp_path / "a.h5")
    data = cmh_data.load(path)
    assert data.digest == data.compute_digest()
    data.image.close()
    with h5py.File(path, "r+") as file:
        file["image"][:] = 255 - file["image"][:]
    after = cmh_data.load(path)
    assert "The file was edited after it was made" in after.findings[0]
    assert after.digest == after.compute_digest() != data.stored_digest


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_images_that_are_paths_or_addresses_are_refused_with_the_cure(tmp_path, ending):
    arrays = {
        "text": np.eye(12),
        "labels": np.ones((12, 2)),
        "train": np.arange(8),
        "query": np.arange(8, 12),
    }
    paths = [f"https://x.org/{number}.jpg" for number in range(12)]
    path = tmp_path / f"data.{ending}"
    if ending == "npz":
        np.savez(path, images=np.array(paths), **arrays)
    else:
        with h5py.File(path, "w") as file:
            file["images"] = paths
            for name, values in arrays.items():
                file[name] = values
    with pytest.raises(
        cmh_data.DataError, match=r"images must hold numbers.* umml features, addresses are not"
    ):
        cmh_data.load(path)
    assert any("images must hold numbers" in problem for problem in cmh_data.inspect(path).problems)
