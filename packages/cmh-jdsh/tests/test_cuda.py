"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import numpy as np
import pytest
import torch
from cmh_jdsh._pixels import centre_crops, training_crops
from cmh_train import TrainingData, build_method, encode_dataset, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

OPTIONS = {"bits": 16, "text_widths": (32,), "batch_size": 16}
TARGETS = pytest.mark.parametrize(
    "options",
    [{}, {"dsdw": "estimate"}, {"variant": "sigir2020"}, {"variant": "sigir2020", "dsdw": "estimate"}],
)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return TrainingData.from_arrays(image=rng.random((48, 10)), text=rng.random((48, 12)) < 0.3)


def trained(data, options, *, epochs=2, device="cuda", **settings):
    method = build_method("jdsh", OPTIONS | options, data.spec, 0)
    return method, fit(method, data, epochs=epochs, batch_size=16, seed=1, device=device, **settings)


def same_state(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@TARGETS
def test_steps_are_those_of_the_cpu(data, options):
    (on_cpu, expected), (on_gpu, result) = (
        trained(data, options, device=device, precision="float64") for device in ("cpu", "cuda")
    )
    for name, losses in expected.losses.items():
        assert result.losses[name] == pytest.approx(losses, rel=1e-7), name
    codes = [encode_dataset(method, "text", data.text) for method in (on_cpu, on_gpu)]
    np.testing.assert_allclose(*codes, atol=1e-6)


@TARGETS
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_same_seed_gives_the_same(data, options, precision):
    first, second = (trained(data, options, precision=precision)[0] for _ in range(2))
    assert same_state(first, second)
    assert np.isfinite(encode_dataset(first, "image", data.image)).all()


@TARGETS
def test_resuming_gives_the_same(data, options, tmp_path):
    whole, _ = trained(data, options, epochs=4)
    trained(data, options, epochs=2, checkpoint=tmp_path / "run")
    resumed, result = trained(data, options, epochs=4, checkpoint=tmp_path / "run")
    assert result.resumed_from == 2
    assert same_state(whole, resumed)


@TARGETS
def test_nothing_waits_for_the_device_between_the_steps_of_an_epoch(data, options):
    method = build_method("jdsh", OPTIONS | options, data.spec, 0)
    begin_epoch, end_epoch = method.begin_epoch, method.end_epoch

    def begin(epoch):
        begin_epoch(epoch)
        torch.cuda.set_sync_debug_mode("error")

    def end(epoch):
        torch.cuda.set_sync_debug_mode("default")
        end_epoch(epoch)

    method.begin_epoch, method.end_epoch = begin, end
    try:
        fit(method, data, epochs=2, batch_size=16, device="cuda")
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_crops_do_not_wait_for_the_device():
    image = torch.zeros(2, 3, 64, 80, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        crops = training_crops(image), centre_crops(image)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(crop.shape == (2, 3, 224, 224) for crop in crops)
