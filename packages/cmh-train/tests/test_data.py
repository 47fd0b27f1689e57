import numpy as np
import pytest
from cmh_train import TrainingData, image_statistics
from cmh_train._data import is_copied, to_tensor

GOOD = {"image": np.ones((4, 3)), "text": np.ones((4, 2))}


def test_spec_describes_the_arrays():
    image = np.arange(12.0).reshape(4, 3)
    data = TrainingData.from_arrays(image=image, text=np.ones((4, 2)), label=np.eye(4))
    assert (data.spec.n_train, data.spec.image_shape, data.spec.text_width, data.spec.n_label) == (
        4,
        (3,),
        2,
        4,
    )
    assert data.spec.image_mean == 5.5
    assert data.spec.image_std == pytest.approx(image.std())
    assert data.image_present.all()


def test_default_statistics_leave_removed_images_out():
    image = np.array([[1.0, 3.0], [0.0, 0.0]])
    data = TrainingData.from_arrays(image=image, text=image, image_present=np.array([True, False]))
    assert (data.spec.image_mean, data.spec.image_std) == (2.0, 1.0)


def test_given_statistics_are_kept():
    data = TrainingData.from_arrays(**GOOD, image_mean=7.0, image_std=3.0)
    assert (data.spec.image_mean, data.spec.image_std) == (7.0, 3.0)


def test_statistics_in_pieces_equal_the_whole(monkeypatch):
    monkeypatch.setattr("cmh_train._data._CHUNK_ENTRIES", 50)
    image = np.random.default_rng(0).normal(100, 2, size=(41, 7)).astype(np.float16)
    exact = image.astype(np.float64)
    assert image_statistics(image) == pytest.approx((exact.mean(), exact.std()), rel=1e-12)


def test_constant_images_have_deviation_one():
    assert image_statistics(np.full((3, 2), 4.0)) == (4.0, 1.0)


def test_pixels_are_allowed():
    pixels = np.zeros((2, 3, 4, 5), dtype=np.uint8)
    assert TrainingData.from_arrays(image=pixels, text=np.ones((2, 1))).spec.image_shape == (3, 4, 5)


@pytest.mark.parametrize("kind", ["<u2", ">u2", ">f4", "<f8", "g", "?", "i1"])
def test_any_real_numbers_become_a_tensor(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    tensor = to_tensor(array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    shared = np.shares_memory(tensor.numpy(), array)
    assert shared is not is_copied(array)
    assert shared == (np.dtype(kind) in map(np.dtype, ("f8", "?", "i1")))
    array.flags.writeable = False
    assert is_copied(array)
    assert is_copied(np.ones((4, 4))[:, ::2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": np.ones((5, 2))}, "image has 4 and text 5"),
        ({"label": np.ones((3, 2))}, "image has 4 and label 3"),
        ({"image": np.ones(4)}, "image must have a row axis and a feature axis"),
        ({"image": np.ones((4, 0))}, "both not empty"),
        ({"text": np.ones((4, 2, 2))}, "text must have two axes"),
        ({"image": np.full((4, 3), np.nan)}, "image holds NaN"),
        ({"text": np.full((4, 2), np.inf)}, "text holds NaN or infinite"),
        ({"image": np.full((4, 3), "a")}, "image must hold real numbers"),
        ({"label": np.full((4, 3), 2)}, "zeros and ones only"),
        ({"label": np.ones((4, 3, 1))}, "label must have two axes"),
        ({"image_present": np.ones(4)}, "image_present must be one bool"),
        ({"text_present": np.ones(3, dtype=bool)}, "image has 4 and text_present 3"),
        ({"image_mean": 1.0}, "belong together"),
        ({"image_mean": 1.0, "image_std": 0.0}, "image_std positive"),
        ({"image_mean": np.nan, "image_std": 1.0}, "must be finite"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        TrainingData.from_arrays(**GOOD | change)
