"""What `load` finds suspicious, and that good data has no findings."""

from __future__ import annotations

import cmh_data
import h5py
import numpy as np
import pytest

N = 60
ALONE = (
    "share no label with the retrieval set: nothing is relevant to them, and their average precision is 0."
)


@pytest.fixture
def good():
    """Sixty items of three classes whose image and text both carry the class."""
    rng = np.random.default_rng(3)
    classes = np.arange(N) % 3
    image = np.eye(3)[classes] @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(N, 8))
    text = np.eye(3)[classes] @ rng.normal(size=(3, 9)) + 0.3 * rng.normal(size=(N, 9))
    labels = np.eye(3, dtype=np.uint8)[classes]
    return {"image": image, "text": text, "labels": labels, "train": np.arange(40), "query": np.arange(40, N)}


def findings(tmp_path, arrays, **options):
    np.savez(tmp_path / "a.npz", **arrays)
    return cmh_data.load(tmp_path / "a.npz", **options).findings


def test_good_data_has_none(tmp_path, good):
    assert findings(tmp_path, good) == ()


def edit_no_label(arrays):
    arrays["labels"][[2, 7]] = 0


def edit_no_text(arrays):
    arrays["text"][[1, 50]] = 0


def edit_constant(arrays):
    arrays["image"][:, [1, 4]] = 7


def edit_repeated(arrays):
    arrays["image"][[40, 41, 42]] = arrays["image"][0]
    arrays["image"][43] = arrays["image"][44]  # twice among the queries is no matter


def edit_alone(arrays):
    arrays["labels"] = np.pad(arrays["labels"], ((0, 0), (0, 1)))
    arrays["labels"][[40, 45]] = [0, 0, 0, 1]  # of queries alone
    arrays["labels"][50, 3] = 1  # which has another label


def edit_shuffled(arrays):
    arrays["text"] = np.random.default_rng(5).permutation(arrays["text"])


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (edit_no_label, {"2 of 60 rows have no label."}),
        (
            edit_no_text,
            {"2 of 60 text rows are all zero.", "1 of 20 query rows have the same text as a training row."},
        ),
        (edit_constant, {"2 of 8 image columns have the same value in every row."}),
        (edit_alone, {f"2 of 20 queries {ALONE}"}),
        (edit_repeated, {"3 of 20 query rows have the same image as a training row."}),
    ],
)
def test_what_is_suspicious(tmp_path, good, edit, expected):
    edit(good)
    assert set(findings(tmp_path, good, unlabelled="keep")) == expected
    problems = cmh_data.inspect(tmp_path / "a.npz").problems
    assert {one for one in problems if ALONE in one} == {one for one in expected if ALONE in one}


def test_shuffled_rows(tmp_path, good):
    edit_shuffled(good)
    found = findings(tmp_path, good)
    assert any(one.startswith("image and text agree no better than shuffled rows do (p = ") for one in found)
    assert any("text and label" in one for one in found)
    assert not any("image and label" in one for one in found)


def test_the_emoji_repeat_some_rows():
    assert cmh_data.load("emoji").findings == (
        "8 of 300 query rows have the same image as a training row.",
        "65 of 300 query rows have the same text as a training row.",
    )


def test_findings_belong_to_one_split():
    data = cmh_data.sample()
    assert data.with_split(data.split).findings == ()


def test_pixels_on_disk_are_not_read(tmp_path, good, monkeypatch):
    good["image"] = np.zeros((N, 3, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", **good)
    first = cmh_data.load(tmp_path / "a.npz")
    assert any("image" in one for one in first.findings)
    path = cmh_data.save(first, tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["rows_digest"]  # by which a few rows are compared with what the file states
    monkeypatch.setattr("cmh_files.Hdf5Rows.__getitem__", None)
    assert not any("image" in one for one in cmh_data.load(path).findings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wikipedia.npz", ("4 of 693 query rows have the same image as a training row.",)),
        ("wikipedia_raw.npz", ("3 of 693 query rows have the same image as a training row.",)),
        (
            "webnews.npz",
            (
                "11 of 2193 text rows are all zero.",
                "4 of 497 query rows have the same image as a training row.",
                "6 of 497 query rows have the same text as a training row.",
            ),
        ),
    ],
)
def test_real_files(shared_data, name, expected):
    assert cmh_data.load(shared_data / name).findings == expected
