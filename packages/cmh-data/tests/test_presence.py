"""Which rows have an image and which a text, from every container to every use."""

from __future__ import annotations

import cmh_data
import h5py
import numpy as np
import pytest
import scipy.io

N = 60


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    classes = np.arange(N) % 3
    labels = np.eye(3, dtype=np.uint8)[classes]
    image = (labels @ rng.normal(size=(3, 8)) + 0.2 * rng.normal(size=(N, 8))).astype(np.float32)
    text = (labels @ rng.normal(size=(3, 6)) + 0.2 * rng.normal(size=(N, 6))).astype(np.float32)
    return {"image": image, "text": text, "labels": labels, "train": np.arange(40), "query": np.arange(50, N)}


def masks():
    rows = np.arange(N)
    return rows % 5 != 0, rows % 4 != 1


def write(path, content):
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, content)
    else:
        with h5py.File(path, "w") as file:
            for key, value in content.items():
                file[key] = value
    return path


@pytest.mark.parametrize("ending", ["npz", "mat", "h5"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float64])
def test_masks_are_read_from_any_container(tmp_path, ending, dtype):
    image_present, text_present = masks()
    content = arrays() | {
        "image_present": image_present.astype(dtype),
        "text_present": text_present.astype(dtype),
    }
    if ending == "mat":
        content["train"] = content["train"].astype(float)
    if ending == "mat" and dtype is np.bool_:
        content["text_present"] = content["text_present"][:, None]
    data = cmh_data.load(write(tmp_path / f"a.{ending}", content))
    np.testing.assert_array_equal(data.image_present, image_present)
    np.testing.assert_array_equal(data.text_present, text_present)


def test_masks_are_read_beside_the_keys_of_the_field_and_in_groups(tmp_path):
    content = arrays()
    image_present, text_present = masks()
    renamed = {"XAll": content["image"], "YAll": content["text"], "LAll": content["labels"]}
    path = write(
        tmp_path / "a.h5", renamed | {"presence/image_present": image_present, "text_missing": ~text_present}
    )
    report = cmh_data.inspect(path)
    assert report.parts["image"].missing_rows == 12
    assert report.parts["text"].missing_rows == 15
    assert any("text_missing: read as which rows have a text" in note for note in report.notes)
    assert not any("not read" in note for note in report.notes)


def test_complete_data_keep_their_digest_and_masks_change_it(tmp_path):
    plain = cmh_data.load(write(tmp_path / "a.npz", arrays()))
    assert plain.image_present.all()
    assert plain.text_present.all()
    full = cmh_data.load(write(tmp_path / "b.npz", arrays() | {"image_present": np.ones(N, bool)}))
    gaps = cmh_data.load(write(tmp_path / "c.npz", arrays() | {"image_present": masks()[0]}))
    assert plain.digest == full.digest != gaps.digest
    assert cmh_data.sample().digest == cmh_data.sample().compute_digest()


def test_masks_survive_saving(tmp_path):
    image_present, text_present = masks()
    content = arrays() | {"image_present": image_present, "text_present": text_present}
    data = cmh_data.load(write(tmp_path / "a.npz", content))
    path = cmh_data.save(data, tmp_path / "a.h5")
    back = cmh_data.load(path)
    assert back.digest == data.digest == back.compute_digest()
    np.testing.assert_array_equal(back.text_present, text_present)
    with h5py.File(path) as file:
        assert {"image_present", "text_present"} <= set(file)
    assert back.with_split(back.split).image_present.sum() == image_present.sum()
    assert any("12 of 60 rows have no image" in finding for finding in back.findings)


def test_rows_of_nan_are_an_error_or_missing_where_said(tmp_path):
    content = arrays()
    content["image"][[3, 7]] = np.nan
    path = write(tmp_path / "a.npz", content)
    with pytest.raises(cmh_data.DataError, match=r"row 3 holds NaN or infinity.*missing=\"nan\""):
        cmh_data.load(path)
    data = cmh_data.load(path, missing="nan")
    assert np.flatnonzero(~data.image_present).tolist() == [3, 7]
    assert not data.image[[3, 7]].any()
    assert data.text_present.all()
    content["image"][5, 0] = np.nan  # not the whole row
    with pytest.raises(cmh_data.DataError, match="row 5 holds NaN"):
        cmh_data.load(write(tmp_path / "b.npz", content), missing="nan")


def test_rows_of_nan_that_a_mask_says_are_missing(tmp_path):
    content = arrays()
    image_present = masks()[0]
    content["image"][~image_present] = np.nan
    data = cmh_data.load(write(tmp_path / "a.npz", content | {"image_present": image_present}))
    assert np.isfinite(data.image).all()
    np.testing.assert_array_equal(data.image_present, image_present)


def test_rows_of_zeros_are_reported_and_missing_only_where_said(tmp_path):
    content = arrays()
    content["text"][[3, 7]] = 0
    path = write(tmp_path / "a.npz", content)
    data = cmh_data.load(path)
    assert data.text_present.all()
    assert any("2 of 60 text rows are all zero" in finding for finding in data.findings)
    assert any("--missing zero-rows" in note for note in cmh_data.inspect(path).notes)
    assert np.flatnonzero(~cmh_data.load(path, missing="zero-rows").text_present).tolist() == [3, 7]
    assert cmh_data.inspect(path, missing="zero-rows").parts["text"].missing_rows == 2
    with pytest.raises(cmh_data.DataError, match="missing must be"):
        cmh_data.load(path, missing="maybe")


def test_rows_of_black_pixels_on_disk_are_missing_where_said(tmp_path):
    content = arrays()
    pixels = np.random.default_rng(0).integers(1, 255, (N, 3, 4, 4), np.uint8)
    pixels[9] = 0
    data = cmh_data.load(write(tmp_path / "a.h5", content | {"image": pixels}), missing="zero-rows")
    assert np.flatnonzero(~data.image_present).tolist() == [9]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.full(N, 2), "image_present must hold 0 or 1 for each row"),
        (np.ones(N - 1), "image_present has 59 entries, but there are 60 rows"),
        (np.zeros(N), "image_present must be true for at least one row"),
    ],
)
def test_masks_that_are_none(tmp_path, mask, message):
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(write(tmp_path / "a.npz", arrays() | {"image_present": mask}))


def test_a_mask_of_the_training_rows_is_put_in_its_place(tmp_path):
    mask = np.arange(40) != 5
    data = cmh_data.load(write(tmp_path / "a.npz", arrays() | {"text_present": mask}))
    assert np.flatnonzero(~data.text_present).tolist() == [5]


def test_a_dataset_refuses_a_mask_of_another_length():
    data = cmh_data.sample()
    with pytest.raises(ValueError, match=r"image_present must have the shape \(1876,\), but it is \(3,\)"):
        cmh_data.PairedDataset(
            image=data.image,
            text=data.text,
            label=data.label,
            split=data.split,
            image_present=np.ones(3, bool),
        )


@pytest.mark.parametrize(
    ("key", "inverted"),
    [
        ("hasText", False),
        ("text_exists", False),
        ("caption_present", False),
        ("txts_available", False),
        ("missing_texts", True),
        ("textIsMissing", True),
        ("without_captions", True),
    ],
)
def test_masks_under_other_names(tmp_path, key, inverted):
    text_present = masks()[1]
    mask = ~text_present if inverted else text_present
    data = cmh_data.load(write(tmp_path / "a.npz", arrays() | {key: mask}))
    np.testing.assert_array_equal(data.text_present, text_present)
    assert data.image_present.all()


def test_a_mask_of_words_is_no_mask_of_rows_and_is_named(tmp_path):
    path = write(tmp_path / "a.npz", arrays() | {"text_mask": np.ones((N, 5), np.uint8)})
    assert cmh_data.load(path).text_present.all()
    assert any("text_mask" in note for note in cmh_data.inspect(path).notes)


def test_a_table_without_a_single_usable_row_is_inspected(tmp_path):
    content = arrays()
    content["image"][:] = np.nan
    report = cmh_data.inspect(write(tmp_path / "a.npz", content), missing="zero-rows")
    assert report.parts["image"].missing_rows == N
    assert "60 rows" in report.to_text()
