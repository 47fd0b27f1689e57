"""The method as a whole: what it learns, from which rows, in which spaces, and what it refuses."""

import numpy as np
import pytest
import torch
from cmh_mtfh import METHOD, MTFHConfig
from cmh_testing import example_data
from cmh_train import build_method, encode_dataset, fit


def train(data, epochs=8, **options):
    method = build_method(METHOD, {"bits": 16, "anchors": 20, **options}, data.spec, seed=0)
    result = fit(method, data, epochs=epochs, batch_size=0)
    return method, result


@pytest.mark.parametrize("database", ["encoded", "learned"])
@pytest.mark.parametrize(("modality", "other"), [("image", "text"), ("text", "image")])
def test_items_of_a_class_are_nearer_than_others(modality, other, database):
    data = example_data(n_train=90)
    method, _ = train(data, database=database)
    queries = encode_dataset(method, modality, getattr(data, modality)) >= 0
    ranked = encode_dataset(method, other, getattr(data, other), role="database")
    if database == "learned":
        ranked = method.learned_codes(other).numpy()
    distances = (queries[:, None] != (ranked >= 0)).sum(axis=2)
    same = data.label @ data.label.T > 0
    assert distances[same].mean() < distances[~same].mean() - 3


def test_each_modality_is_ranked_in_a_space_of_its_own_length():
    data = example_data()
    method, _ = train(data, text_bits=24, epochs=2)
    assert (method.code_length("image"), method.code_length("text")) == (16, 24)
    shapes = {
        (modality, role): encode_dataset(method, modality, getattr(data, modality), role=role).shape[1]
        for modality in ("image", "text")
        for role in ("query", "database")
    }
    assert shapes == {
        ("image", "query"): 24, ("text", "database"): 24, ("text", "query"): 16, ("image", "database"): 16,
    }  # fmt: skip


def test_rounds_end_where_the_objective_falls_by_less():
    data = example_data()
    _, result = train(data, epochs=20)
    total = np.array(result.losses["total"])
    falls = -np.diff(total)
    (ended,) = np.flatnonzero(falls < 1)[:1]
    assert (total[ended + 1 :] == total[ended + 1]).all()
    assert ended + 1 < 19, "the test must see rounds that change nothing"


def test_rounds_end_at_the_same_place_after_an_interruption(tmp_path):
    data = example_data()
    whole, expected = train(data, epochs=12)
    for epochs in (3, 12):
        resumed, result = build_method(METHOD, {"bits": 16, "anchors": 20}, data.spec, seed=0), None
        result = fit(resumed, data, epochs=epochs, batch_size=0, checkpoint=tmp_path / "run")
    assert result.losses == expected.losses
    assert torch.equal(whole.image_codes, resumed.image_codes)


def test_a_permutation_visits_every_bit_and_a_prefix_the_first():
    method = build_method(METHOD, {"bits": 16}, example_data().spec, seed=0)
    prefixes = [list(method._sweep_order(16)) for _ in range(200)]
    assert all(bits == list(range(len(bits))) for bits in prefixes)
    assert {len(bits) for bits in prefixes} == set(range(1, 17))
    other = build_method(METHOD, {"bits": 16, "sweep": "permutation"}, example_data().spec, seed=0)
    orders = [list(other._sweep_order(16)) for _ in range(3)]
    assert all(sorted(order) == list(range(16)) for order in orders)
    assert orders[0] != orders[1]


def test_options_of_the_slips_change_the_codes():
    data = example_data()
    codes = [
        train(data, epochs=2, **options)[0].text_codes
        for options in ({}, {"text_mapping": "H1"}, {"sweep": "permutation"})
    ]
    assert not torch.equal(codes[0], codes[1])
    assert not torch.equal(codes[0], codes[2])


def test_no_matrix_has_a_row_and_a_column_for_each_item():
    data = example_data(n_train=700)
    sizes = []

    class Recorder(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            tensors = out if isinstance(out, tuple) else (out,)
            sizes.extend(each.numel() for each in tensors if isinstance(each, torch.Tensor))
            return out

    with Recorder():
        train(data, epochs=2)
    assert max(sizes) < 700 * 40


def test_pixels_are_refused_with_the_cure():
    data = example_data(image_shape=(3, 8, 8))
    with pytest.raises(ValueError, match=r"must be features \(d,\), but they have shape \(3, 8, 8\)"):
        build_method(METHOD, None, data.spec, seed=0)


@pytest.mark.parametrize("wrong", [{"sweep": "all"}, {"text_mapping": "H3"}, {"text_bits": 4}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MTFHConfig(**wrong)
