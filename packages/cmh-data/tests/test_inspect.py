from __future__ import annotations

import json

import cmh_data
import numpy as np
import pytest

N = 60


@pytest.fixture
def aligned():
    """Sixty items of three classes whose image and text both carry the class."""
    rng = np.random.default_rng(3)
    classes = np.arange(N) % 3
    return {
        "image": (np.eye(3)[classes] @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(N, 8))).astype(
            np.float32
        ),
        "text": (rng.random((N, 9)) < 0.1 + 0.6 * np.repeat(np.eye(3)[classes], 3, axis=1)).astype(np.uint8),
        "labels": np.eye(3, dtype=np.uint8)[classes],
        "train": np.arange(40),
        "query": np.arange(40, N),
    }


def report_of(tmp_path, arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return cmh_data.inspect(path)


def test_a_good_file(tmp_path, aligned):
    aligned["text"][0] = 1
    report = report_of(tmp_path, aligned | {"class_names": np.array(["a", "b", "c"])})
    assert report.problems == ()
    assert report.rows == N
    assert report.split == {"train": 40, "query": 20, "retrieval": 40}
    assert report.label.names == ("a", "b", "c")
    assert report.label.counts == (20, 20, 20)
    assert report.label.co_occurrence == ((20, 0, 0), (0, 20, 0), (0, 0, 20))
    assert set(report.alignment.values()) == {0.01}
    assert report.digest == cmh_data.load(tmp_path / "data.npz").digest
    assert report.split_digest == cmh_data.load(tmp_path / "data.npz").split.digest
    assert json.loads(report.to_json())["parts"]["image"]["shape"] == [N, 8]
    assert "train 40, query 20, retrieval 40" in report.to_text()
    assert "none found" in report.to_text()


def edit_shuffled_text(arrays):
    arrays["text"] = np.random.default_rng(5).permutation(arrays["text"])


def edit_shuffled_labels(arrays):
    arrays["labels"] = np.random.default_rng(1).permutation(arrays["labels"])


def edit_nan(arrays):
    arrays["image"][[3, 5], 1] = np.nan


def edit_label_values(arrays):
    arrays["labels"] = arrays["labels"] * 2


def edit_unlabelled(arrays):
    arrays["labels"][[1, 4]] = 0


def edit_unused(arrays):
    arrays["labels"] = np.pad(arrays["labels"], ((0, 0), (0, 2)))


def edit_rows(arrays):
    arrays["text"] = arrays["text"][:-1]


def edit_overlap(arrays):
    arrays["query"] = np.array([3, 50])


def edit_outside(arrays):
    arrays["query"] = np.array([50, 99])


def edit_constant(arrays):
    arrays["image"][:] = 1


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (edit_shuffled_text, "image and text agree no better than shuffled rows do"),
        (edit_shuffled_labels, "text and labels agree no better than shuffled rows do"),
        (edit_nan, "image has 2 rows with NaN or infinity."),
        (edit_label_values, "labels must be 0 or 1, but row 0, column 0 holds 2."),
        (edit_unlabelled, "2 rows have no label."),
        (edit_unused, "2 label columns are empty."),
        (edit_rows, "the parts have different numbers of rows: image 60, text 59, labels 60."),
        (
            edit_overlap,
            "train and query must not share rows, but 1 rows are in both, the first is row 3: take them out",
        ),
        (edit_outside, "query must hold row numbers from 0 to 59, but it holds 99."),
        (edit_constant, "image is the same in every row."),
    ],
)
def test_problems_are_named(tmp_path, aligned, edit, problem):
    edit(aligned)
    report = report_of(tmp_path, aligned)
    assert any(problem in found for found in report.problems), report.problems
    assert problem in report.to_text()


def test_values_are_counted(tmp_path, aligned):
    aligned["text"][:, 0] = 1
    aligned["text"][:5] = 0
    aligned["text"][:, 2] = 0
    aligned["image"][41] = aligned["image"][0]  # a query row as in train
    aligned["image"][:, 1] = 2
    report = report_of(tmp_path, aligned)
    assert report.parts["text"].empty_rows == 5
    assert report.parts["image"].constant_columns == 1
    assert report.parts["image"].repeated_rows == 1
    assert report.parts["image"].repeated_across == 1
    assert report.tags.frequency[0] == 0
    assert report.tags.most_frequent[0][1] == aligned["text"].sum(axis=0).max()


def test_a_changed_file_is_noticed(tmp_path, aligned):
    import h5py

    np.savez(tmp_path / "a.npz", **aligned)
    path = cmh_data.save(cmh_data.load(tmp_path / "a.npz"), tmp_path / "a.h5")
    assert cmh_data.inspect(path).problems == ()
    with h5py.File(path, "r+") as file:
        file["image"][7, 0] += 1
    assert any("it was changed" in problem for problem in cmh_data.inspect(path).problems)


def test_the_emoji_are_known(tmp_path):
    report = cmh_data.inspect(cmh_data.save(cmh_data.sample(), tmp_path / "x.mat"))
    assert report.known_key == "emoji"
    assert report.containers == ("HDF5 (MATLAB 7.3 or other)",)
    assert report.problems == ()


def test_the_built_in_data_by_name():
    report = cmh_data.inspect("emoji")
    assert report.digest == cmh_data.sample().digest
    assert report.path.endswith("emoji.h5")


def test_alignment_needs_equal_rows():
    with pytest.raises(cmh_data.DataError, match="the same number of rows, but they have 3 and 4"):
        cmh_data.alignment_p_value(np.ones((3, 2)), np.ones((4, 2)))


def test_shuffled_rows_are_caught_nearly_always(aligned):
    rng = np.random.default_rng(0)
    caught = sum(
        cmh_data.alignment_p_value(aligned["image"], rng.permutation(aligned["text"]), seed=seed) > 0.01
        for seed in range(20)
    )
    assert caught >= 18
    assert cmh_data.alignment_p_value(aligned["image"], aligned["text"]) == 0.01


def test_pixels_are_compared_too():
    classes = np.arange(40) % 2
    pixels = np.zeros((40, 3, 16, 16), np.uint8)
    pixels[classes == 1, 0] = 200
    pixels += np.random.default_rng(0).integers(0, 40, pixels.shape, dtype=np.uint8)
    assert cmh_data.alignment_p_value(pixels, np.eye(2)[classes]) == 0.01


@pytest.mark.parametrize(
    ("name", "known", "across"),
    [
        ("files/wikipedia_original", "wikipedia", 3),
        ("files/wikipedia_rfdh/wikiData.mat", "wikipedia", 3),
        ("files/wikipedia_roph/wiki.mat", "wikipedia", 4),
        ("webnews.npz", None, 4),
    ],
)
def test_real_files(shared_data, name, known, across):
    report = cmh_data.inspect(shared_data / name)
    assert report.known_key == known
    assert report.parts["image"].repeated_across == across
    assert set(report.alignment.values()) == {0.01}


def test_real_lists(shared_data):
    report = cmh_data.inspect(shared_data / "files" / "mirflickr_lists")
    assert report.known_as.endswith("all labels are in the published row order")
    assert report.tags.frequency == (17, 35.5, 1448)
    assert report.label.per_row[0] == 1
    assert report.label.per_row[2] == 14
