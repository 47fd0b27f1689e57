from __future__ import annotations

import cmh_data
import h5py
import numpy as np
import pytest


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_plain_layout(tmp_path, arrays, suffix):
    data = cmh_data.load(write(tmp_path / f"small{suffix}", arrays))
    assert data.name == "small"
    np.testing.assert_array_equal(data.image, arrays["image"])
    np.testing.assert_array_equal(data.text, arrays["text"])
    assert data.text.dtype == data.label.dtype == np.uint8
    assert data.split.retrieval.tolist() == [0, 1, 2, 3]  # every row that is no query
    assert data.split.train.dtype == np.int64


def test_the_name_of_the_file_does_not_matter(tmp_path, arrays):
    path = write(tmp_path / "data.npz", arrays).rename(tmp_path / "data.mat")
    assert len(cmh_data.load(path)) == 6


def test_both_containers_have_one_digest(tmp_path, arrays):
    digests = {cmh_data.load(write(tmp_path / f"a{suffix}", arrays)).digest for suffix in (".npz", ".h5")}
    assert len(digests) == 1


def test_the_digest_sees_every_part(tmp_path, arrays):
    changed = [arrays | {name: array[::-1].copy()} for name, array in arrays.items()]
    changed += [arrays | {"ids": np.array(list("abcdef"))}, arrays | {"retrieval": np.array([0, 1])}]
    paths = [write(tmp_path / f"{number}.npz", one) for number, one in enumerate([arrays, *changed])]
    assert len({cmh_data.load(path).digest for path in paths}) == len(paths)


def test_names_come_along(tmp_path, arrays):
    extra = {
        "ids": np.array(list("abcdef")),
        "class_names": np.array(["x", "y"]),
        "vocabulary": np.array(list("vwxyz")),
    }
    data = cmh_data.load(write(tmp_path / "a.npz", arrays | extra))
    assert (data.ids, data.label_names, data.text_vocabulary) == (tuple("abcdef"), ("x", "y"), tuple("vwxyz"))


def test_half_precision_is_widened(tmp_path, arrays):
    arrays["image"] = arrays["image"].astype(np.float16)
    data = cmh_data.load(write(tmp_path / "a.npz", arrays))
    assert data.image.dtype == np.float32


def test_save_and_load_round_trip(tmp_path, arrays):
    extra = {"ids": np.array(["é", "b", "c", "d", "e", "f"]), "fine_labels": np.array(list("uvwxyz"))}
    data = cmh_data.load(write(tmp_path / "a.npz", arrays | extra))
    back = cmh_data.load(cmh_data.save(data, tmp_path / "b.h5"))
    assert back.digest == data.digest == back.compute_digest()
    assert back.ids == data.ids
    assert back.fine_labels.tolist() == list("uvwxyz")
    assert back.name == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.h5"]


def test_saving_is_deterministic(tmp_path, arrays):
    data = cmh_data.load(write(tmp_path / "a.npz", arrays))
    first = cmh_data.save(data, tmp_path / "1.h5").read_bytes()
    assert cmh_data.save(data, tmp_path / "2.h5").read_bytes() == first


def test_shared_files_load(shared_data):
    for name, rows in (("wikipedia.npz", 2866), ("wikipedia_raw.npz", 2866), ("webnews.npz", 2193)):
        data = cmh_data.load(shared_data / name)
        assert len(data) == rows
        assert data.split.retrieval.tolist() == data.split.train.tolist()


def without(key):
    return lambda arrays: arrays.pop(key)


def put(key, value):
    return lambda arrays: arrays.update({key: value})


def change(key, index, value):
    def edit(arrays):
        arrays[key] = arrays[key].astype(float)
        arrays[key][index] = value

    return edit


BAD = [
    (
        without("query"),
        r"has no query rows .* it holds image \(6, 4\) float32, .*, train \(3,\) int64\. Name the arrays",
    ),
    (put("text", np.zeros((5, 5))), "image has 6, text has 5, labels has 6"),
    (change("image", (3, 1), np.nan), "image must be finite, but row 3 holds NaN or infinity"),
    (change("text", (2, 0), np.inf), "text must be finite, but row 2 holds NaN or infinity"),
    (
        change("labels", (4, slice(None)), 0),
        "every row needs a label, but 1 rows have none, the first is row 4",
    ),
    (change("labels", (1, 0), 2), "labels must be 0 or 1, but row 1, column 0 holds 2.0"),
    (change("labels", (1, 0), np.nan), "labels must be 0 or 1, but row 1, column 0 holds nan"),
    (put("labels", np.arange(6) + 0.5), "labels must hold whole class numbers"),
    (put("labels", np.zeros((6, 2, 2))), "must be a table with 6 rows"),
    (
        put("query", np.array([2, 5])),
        "train and query must not share rows, but 1 rows are in both, the first is row 2",
    ),
    (put("retrieval", np.array([1, 4])), "retrieval and query must not share rows, but 1 rows are in both"),
    (put("query", np.array([6])), "query must hold row numbers from 0 to 5, but it holds 6"),
    (put("train", np.array([-1])), "train must hold row numbers from 0 to 5, but it holds -1"),
    (put("train", np.array([0.5])), "train must hold whole row numbers, but 0.5 is none"),
    (put("train", np.array([1, 1])), "train must name each row once, but row 1 is there twice"),
    (put("train", np.zeros((2, 2))), "train must be a list of row numbers, but it has the shape"),
    (put("train", np.array([], int)), "train must hold at least one row, but it is empty"),
    (put("query", np.array([], int)), "query must hold at least one row, but it is empty"),
    (put("image", np.zeros((6, 2, 2))), "must be a table with 6 rows"),
    (put("image", np.zeros((6, 0))), "image must have the shape"),
    (put("image", np.array([["a"]] * 6)), "image must hold numbers, but its dtype is <U1"),
    (put("ids", np.array(["a"])), "ids has 1 entries, but there are 6 rows"),
    (put("class_names", np.array(["a"])), "label_names has 1 entries, but there are 2 label columns"),
    (put("fine_labels", np.array(["a"])), "fine_labels has 1 entries, but there are 6 rows"),
]


@pytest.mark.parametrize(("edit", "message"), BAD)
def test_bad_arrays_get_one_sentence(tmp_path, arrays, edit, message):
    edit(arrays)
    path = write(tmp_path / "bad.npz", arrays)
    with pytest.raises(cmh_data.DataError, match=message) as caught:
        cmh_data.load(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count("\n") == 0


def test_rows_without_a_label_can_be_kept(tmp_path, arrays):
    change("labels", (4, slice(None)), 0)(arrays)
    data = cmh_data.load(write(tmp_path / "a.npz", arrays), unlabelled="keep")
    assert not data.label[4].any()


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_truncated_files(tmp_path, arrays, suffix, share):
    arrays["image"] = np.random.default_rng(0).normal(size=(6, 2000))
    path = write(tmp_path / f"a{suffix}", arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(cmh_data.DataError, match="damaged or truncated"):
        cmh_data.load(path)


def test_pickles_are_refused(tmp_path, arrays):
    arrays["ids"] = np.array(["a", None, 3, {}, [], 0], dtype=object)
    path = write(tmp_path / "a.npz", arrays)
    with pytest.raises(
        cmh_data.DataError, match=r"holds Python objects \(pickle\) in ids, which are never read"
    ):
        cmh_data.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not found"),
        (b"", r"is empty \(0 bytes\); fetch"),
        (b"hello", "is text of no known layout; it begins with b'hello'"),
    ],
)
def test_no_data_file(tmp_path, content, message):
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(path)


def test_saving_into_no_folder(tmp_path):
    with pytest.raises(ValueError, match="because the folder"):
        cmh_data.save(cmh_data.sample(), tmp_path / "none" / "a.h5")


def test_the_digest_sees_every_pixel(tmp_path, arrays):
    arrays["image"] = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 4), dtype=np.uint8)
    first = cmh_data.load(write(tmp_path / "a.npz", arrays))
    saved = cmh_data.load(cmh_data.save(first, tmp_path / "a.h5"))
    assert saved.digest == saved.compute_digest() == first.digest
    arrays["image"][4, 2, 1, 3] ^= 1
    assert cmh_data.load(write(tmp_path / "b.npz", arrays)).digest != first.digest
