"""On a GPU: the same twice, resumed to the same, nobody's numbers disturbed, no waiting inside an epoch."""

import numpy as np
import pytest
import torch
from cmh_train import build_method, encode_dataset, fit, triplet_hinge_sum

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SETTINGS = {"batch_size": 16, "seed": 3}


def same(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def test_the_same_seed_gives_the_same_and_a_callback_cannot_disturb(make, data):
    plain, watched = make(), make()

    def watch(_):
        torch.rand(100, device="cuda")
        encode_dataset(watched, "image", data.image)

    fit(plain, data, epochs=3, device="cuda", **SETTINGS)
    fit(watched, data, epochs=3, device="cuda", on_epoch_end=watch, **SETTINGS)
    assert same(plain, watched)
    assert plain.image.weight.is_cuda


@pytest.mark.parametrize("precision", ["float32", "bf16", "float64"])
def test_resuming_is_bit_identical(make, data, tmp_path, precision):
    settings = SETTINGS | {"device": "cuda", "precision": precision}
    whole, first, second = make(), make(), make(seed=9)
    fit(whole, data, epochs=4, **settings)
    fit(first, data, epochs=2, checkpoint=tmp_path / "run", **settings)
    assert fit(second, data, epochs=4, checkpoint=tmp_path / "run", **settings).resumed_from == 2
    assert same(whole, second)


def test_the_callers_random_numbers_are_left_alone(data, spec):
    torch.cuda.manual_seed_all(7)
    expected = torch.rand(3, device="cuda")
    for device in ("cpu", "cuda"):
        torch.cuda.manual_seed_all(7)
        fit(build_method(spec, {"bits": 8}, data.spec, 0), data, epochs=1, device=device, **SETTINGS)
        assert torch.equal(torch.rand(3, device="cuda"), expected)


@pytest.mark.parametrize("devices", [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_second_training_on_another_device(make, data, devices):
    method = make()
    for device in devices:
        fit(method, data, epochs=1, device=device, **SETTINGS)
    for optimiser in method.optimisers().values():
        for values in optimiser.state.values():
            assert {value.device.type for key, value in values.items() if key != "step"} == {devices[-1]}


def test_nothing_waits_for_the_device_between_the_steps_of_an_epoch(make, data):
    method = make()
    method.begin_epoch = lambda _: torch.cuda.set_sync_debug_mode("error")
    method.end_epoch = lambda _: torch.cuda.set_sync_debug_mode("default")
    try:
        fit(method, data, epochs=2, device="cuda", **SETTINGS)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_codes_are_those_of_the_cpu(make, data):
    method = make()
    expected = encode_dataset(method, "text", data.text)
    np.testing.assert_allclose(
        encode_dataset(method.cuda(), "text", data.text), expected, rtol=1e-3, atol=1e-4
    )


def test_triplets_are_those_of_the_cpu():
    torch.manual_seed(0)
    distances, weights = torch.rand(2, 30, 30).double(), torch.rand(30, 30).double()
    arguments = distances, weights * (weights < 0.3), weights > 0.6
    expected = triplet_hinge_sum(*arguments, margin=0.3)
    result = triplet_hinge_sum(*(tensor.cuda() for tensor in arguments), margin=0.3)
    torch.testing.assert_close(result.cpu(), expected)
