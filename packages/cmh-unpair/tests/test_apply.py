from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.sparse
from cmh_unpair import UnpairedView, plan_unpairing
from hypothesis import given, settings
from hypothesis import strategies as st

N, ROWS = 30, np.arange(25, 5, -1)  # twenty training rows in falling order
PLAN = plan_unpairing(20, unpaired_images=30, unpaired_text=20, discard=10, block=10)
KEPT = np.flatnonzero(PLAN.kept)
IMAGES = np.arange(1.0, 1 + N * 6).reshape(N, 2, 3)
TEXTS = (np.arange(N * 4).reshape(N, 4) % 7 + 1).astype(np.uint8)
LABELS = np.arange(N)


class Tensor:
    """As much of a torch tensor as the package may use; made of NumPy, so that no test needs torch."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape
        self.dtype = self.values.dtype

    def __getitem__(self, key):
        return Tensor(self.values[key].copy())

    def __setitem__(self, key, value):
        self.values[key] = value.values if isinstance(value, Tensor) else value

    def new_zeros(self, shape):
        return Tensor(np.zeros(shape, self.dtype))

    def double(self):
        return Tensor(self.values.astype(np.float64))

    def long(self):
        return Tensor(self.values.astype(np.int64))

    def mean(self, axis):
        return Tensor(self.values.mean(axis))

    def round(self):
        return Tensor(np.rint(self.values))

    def to(self, dtype):
        return Tensor(self.values.astype(dtype))

    def is_floating_point(self):
        return self.dtype.kind == "f"


def expected(values, present, fill="zero"):
    result = values[ROWS[KEPT]].copy()
    mean = result[present[KEPT]].astype(float).mean(axis=0)
    mean = mean if values.dtype.kind == "f" else np.rint(mean)
    result[~present[KEPT]] = 0 if fill == "zero" else mean
    return result


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("kind", ["numpy", "torch-like", "hdf5"])
def test_every_kind_of_array(tmp_path, kind, fill):
    images, texts = IMAGES.copy(), TEXTS.copy()
    file = None
    if kind == "hdf5":
        file = h5py.File(tmp_path / "data.h5", "w")
        file["images"], file["texts"] = images, texts
        given_images, given_texts = file["images"], file["texts"]
    else:
        given_images, given_texts = (
            (Tensor(images), Tensor(texts)) if kind == "torch-like" else (images, texts)
        )
    unpaired = PLAN.apply(given_images, given_texts, LABELS, rows=ROWS, fill=fill)
    found = [
        values.values if kind == "torch-like" else np.asarray(values)
        for values in (unpaired.images, unpaired.texts)
    ]
    np.testing.assert_array_equal(found[0], expected(IMAGES, PLAN.image_present, fill), strict=True)
    np.testing.assert_array_equal(found[1], expected(TEXTS, PLAN.text_present, fill), strict=True)
    np.testing.assert_array_equal(unpaired.labels, LABELS[ROWS[KEPT]])
    np.testing.assert_array_equal(unpaired.index, ROWS[KEPT])
    np.testing.assert_array_equal(unpaired.image_present, PLAN.image_present[KEPT])
    np.testing.assert_array_equal(unpaired.text_present, PLAN.text_present[KEPT])
    assert unpaired.text_labels is unpaired.labels
    assert len(unpaired) == PLAN.counts.kept
    np.testing.assert_array_equal(images, IMAGES)  # the inputs stay as they are
    np.testing.assert_array_equal(texts, TEXTS)
    if file is not None:
        np.testing.assert_array_equal(file["images"][()], IMAGES)
        file.close()


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array])
@pytest.mark.parametrize("marker", ["none", "text"])
def test_sparse_texts(make, marker):
    unpaired = PLAN.apply(IMAGES, make(TEXTS), rows=ROWS, marker=marker)
    dense = unpaired.texts.toarray()
    np.testing.assert_array_equal(dense[:, :4], expected(TEXTS, PLAN.text_present))
    assert dense.dtype == TEXTS.dtype
    assert unpaired.texts.nnz == np.count_nonzero(dense)
    if marker == "text":
        np.testing.assert_array_equal(dense[:, 4], ~unpaired.text_present)


@pytest.mark.parametrize("wrap", [np.asarray, Tensor])
def test_markers_are_one_where_the_item_is_removed(wrap):
    flat = IMAGES.reshape(N, 6)
    unpaired = PLAN.apply(wrap(flat), wrap(TEXTS), rows=ROWS, marker="both")
    for array, present in (
        (unpaired.images, unpaired.image_present),
        (unpaired.texts, unpaired.text_present),
    ):
        values = getattr(array, "values", array)
        np.testing.assert_array_equal(values[:, -1], ~present)
        assert not values[~present, :-1].any()


def test_lazy_rows_are_read_when_asked_for(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = IMAGES
        view = PLAN.apply(file["images"], TEXTS, rows=ROWS).images
        whole = expected(IMAGES, PLAN.image_present)
        assert isinstance(view, UnpairedView)
        assert (view.shape, view.dtype, view.ndim, len(view)) == (whole.shape, whole.dtype, 3, len(whole))
        for key in (
            0,
            -1,
            slice(2, 9),
            slice(None, None, -3),
            [4, 1, 1],
            np.arange(len(whole)) % 2 == 0,
            slice(0, 0),
        ):
            np.testing.assert_array_equal(view[key], whole[key], strict=True)
        with pytest.raises(ValueError, match="copy must be None or True"):
            np.array(view, copy=False)
        assert np.asarray(view, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("labels_move", [True, False])
def test_shuffled_texts_take_their_labels_or_not(labels_move):
    plan = plan_unpairing(N, shuffle=50, seed=0, shuffle_labels=labels_move)
    unpaired = plan.apply(IMAGES, TEXTS, LABELS)
    np.testing.assert_array_equal(unpaired.texts, TEXTS[plan.text_index])
    np.testing.assert_array_equal(unpaired.text_index, plan.text_index)
    np.testing.assert_array_equal(unpaired.labels, LABELS)
    np.testing.assert_array_equal(unpaired.text_labels, LABELS[plan.text_index] if labels_move else LABELS)


@settings(max_examples=30, deadline=None)
@given(data=st.data(), n=st.integers(1, 60), images=st.integers(0, 50), text=st.integers(0, 50))
def test_only_training_rows_change_and_twice_is_once(data, n, images, text):
    plan = plan_unpairing(n, unpaired_images=images, unpaired_text=text)
    rows = np.array(data.draw(st.permutations(range(n + 10))))[:n]
    values = np.arange(1, n + 11)[:, None]
    once = plan.apply(values, values, rows=rows)
    np.testing.assert_array_equal(once.index, rows)
    np.testing.assert_array_equal(once.images[:, 0], np.where(plan.image_present, rows + 1, 0))
    np.testing.assert_array_equal(once.texts[:, 0], np.where(plan.text_present, rows + 1, 0))
    twice = plan.apply(once.images, once.texts)
    np.testing.assert_array_equal(twice.images, once.images)
    np.testing.assert_array_equal(twice.texts, once.texts)


def test_lists_and_missing_modalities_are_fine():
    plan = plan_unpairing(2, unpaired_images=50, block=2)
    unpaired = plan.apply(None, [[1], [2]])
    assert unpaired.images is None
    assert unpaired.labels is None
    np.testing.assert_array_equal(unpaired.texts, [[0], [2]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rows": None},
            "rows must be given because the arrays have 30 rows .* speaks of 20; .* rows=range.20.",
        ),
        ({"rows": ROWS[1:]}, "rows must be 20 whole numbers"),
        ({"rows": ROWS + 0.5}, "rows must be 20 whole numbers"),
        (
            {"rows": np.arange(11, 31)},
            "rows must be numbers from 0 to 29, but they are 11 to 30; MATLAB indices start at 1",
        ),
        ({"rows": np.zeros(20, int)}, "rows must name every row once"),
        ({"marker": "image"}, "marker must be 'none', 'text' or 'both', but it is 'image'"),
        ({"marker": "both"}, "marker must be 'none' unless .* but images have 3"),
        ({"fill": "noise"}, "fill must be 'zero' or 'mean', but it is 'noise'"),
        ({"texts": TEXTS[1:]}, "must have the same number of rows, but there are 30 images, 29 texts"),
        (
            {"texts": scipy.sparse.csr_array(TEXTS), "fill": "mean"},
            "fill must be 'zero' because texts are sparse",
        ),
        ({"images": None, "texts": None}, "at least one of images and texts must be an array"),
    ],
)
def test_bad_input_is_refused_with_the_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        PLAN.apply(**{"images": IMAGES, "texts": TEXTS, "rows": ROWS} | arguments)


@pytest.mark.parametrize("wrap", [np.asarray, Tensor])
def test_the_mean_of_nothing_is_refused(wrap):
    with pytest.raises(ValueError, match=r"fill must be 'zero' because no .* left to take the mean of"):
        plan_unpairing(N, unpaired_images=100).apply(None, wrap(TEXTS), fill="mean")
