"""The method as a whole: what it learns, from which rows, and what it refuses."""

import numpy as np
import pytest
import torch
from cmh_amsh import METHOD, AMSHConfig
from cmh_amsh._hash_functions import fit_hash_function
from cmh_testing import example_data
from cmh_train import TrainingData, build_method, encode_dataset, fit


def train(data, **options):
    method = build_method(METHOD, {"bits": 16, "anchors": 20, **options}, data.spec, seed=0)
    result = fit(method, data, epochs=method.config.epochs, batch_size=0)
    return method, result


def distances_by_class(method, data, modality):
    """Mean distance of query codes to learned codes of the other modality: same class, other classes."""
    other = "text" if modality == "image" else "image"
    queries = encode_dataset(method, modality, getattr(data, modality)) >= 0
    distances = (queries[:, None] != (getattr(method, f"{other}_codes").numpy() > 0)).sum(axis=2)
    same = data.label @ data.label.T > 0
    return distances[same].mean(), distances[~same].mean()


@pytest.mark.parametrize("modality", ["image", "text"])
def test_items_of_a_class_are_nearer_than_others(modality):
    data = example_data(n_train=1500)  # the weights of labels grow with items and bits
    same, others = distances_by_class(train(data, bits=32)[0], data, modality)
    assert same < others - 2


def test_the_objective_never_rises():
    _, result = train(example_data(n_train=90))
    total = np.array(result.losses["total"])
    assert (np.diff(total) <= 1e-3 * np.abs(total[1:])).all()
    parts = sum(np.array(result.losses[name]) for name in ("label", "quantisation", "intra", "cross"))
    np.testing.assert_allclose(parts, total, rtol=1e-5)


def test_rows_without_a_modality_have_no_codes_and_all_others_do():
    data = example_data(n_train=90, missing_images=slice(0, 50), missing_texts=slice(50, 90))
    method, _ = train(data)
    for modality in ("image", "text"):
        has_code = (getattr(method, f"{modality}_codes") != 0).all(dim=1).numpy()
        np.testing.assert_array_equal(has_code, getattr(data, f"{modality}_present"))


def test_anchors_are_the_same_rows_and_with_independent_ones_they_are_not():
    data = example_data(n_train=90)
    for choice, equal in (("same", True), ("independent", False)):
        method, _ = train(data, anchor_rows=choice, epochs=1)
        rows = [
            [int(np.flatnonzero((getattr(data, m) == anchor).all(axis=1))[0])
             for anchor in getattr(method, f"{m}_anchors").numpy()]
            for m in ("image", "text")
        ]  # fmt: skip
        assert (rows[0] == rows[1]) is equal


def test_hash_functions_are_fitted_once_however_many_rounds(monkeypatch):
    calls = []

    def counted(*arguments, **options):
        calls.append(options["rounds"])
        return fit_hash_function(*arguments, **options)

    monkeypatch.setattr("cmh_amsh._method.fit_hash_function", counted)
    train(example_data(), epochs=5)
    assert calls == [15, 15]


def test_no_matrix_has_a_row_and_a_column_for_each_item():
    data = example_data(n_train=1000)
    sizes = []

    class Recorder(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            tensors = out if isinstance(out, tuple) else (out,)
            sizes.extend(each.numel() for each in tensors if isinstance(each, torch.Tensor))
            return out

    with Recorder():
        train(data, epochs=2)
    assert max(sizes) < 1000 * 40


def test_an_image_without_labels_takes_part():
    data = example_data(n_train=60)
    label = data.label.copy()
    label[7] = 0
    method, _ = train(TrainingData.from_arrays(image=data.image, text=data.text, label=label))
    assert bool((method.image_codes[7] != 0).all())


def test_pixels_are_refused_with_the_cure():
    data = example_data(image_shape=(3, 8, 8))
    with pytest.raises(ValueError, match=r"must be features \(d,\), but they have shape \(3, 8, 8\)"):
        build_method(METHOD, None, data.spec, seed=0)


def test_an_unknown_database_is_refused():
    with pytest.raises(ValueError, match="database"):
        AMSHConfig(database="own")


def test_ten_classes_of_many_rows_stay_finite_in_single_precision():
    """Labels pull thousands of items one way: eigenvalues of the V step lie too far apart for float32."""
    generator = np.random.default_rng(0)
    label = np.eye(10, dtype=np.float32)[generator.integers(10, size=6000)]
    image = label @ generator.normal(size=(10, 12)) + generator.normal(size=(6000, 12))
    data = TrainingData.from_arrays(image=image.astype(np.float32), text=image, label=label)
    _, result = train(data, bits=64, epochs=8, start_rows=100)
    assert np.isfinite(result.losses["total"]).all()
