"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import numpy as np
import pytest
import torch
from cmh_dadh import METHOD
from cmh_train import TrainingData, build_method, encode_dataset, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

OPTIONS = {"standardise": "feature", "bits": 16, "layer_widths": (32, 16, 8), "learning_rate": 1e-3}
VARIANTS = pytest.mark.parametrize("variant", ["umml2022", "icmr2020", "clean"])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    label = np.eye(3)[rng.integers(0, 3, 48)]
    return TrainingData.from_arrays(
        image=rng.normal(size=(48, 10)) + label @ rng.normal(size=(3, 10)),
        text=rng.random((48, 12)) < 0.3,
        label=label,
    )


def built(data, variant, batch_size=16):
    return build_method(METHOD, OPTIONS | {"variant": variant, "batch_size": batch_size}, data.spec, 0)


def trained(data, variant, *, epochs=2, batch_size=16, device="cuda", **settings):
    method = built(data, variant, batch_size)
    return method, fit(method, data, epochs=epochs, batch_size=batch_size, seed=1, device=device, **settings)


def same_state(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@VARIANTS
def test_a_step_is_that_of_the_cpu(data, variant, monkeypatch):
    monkeypatch.setattr("cmh_dadh.DADH._draw_shares", lambda _, like: torch.full_like(like, 0.3))
    (on_cpu, expected), (on_gpu, result) = (
        trained(data, variant, epochs=1, batch_size=48, device=device, precision="float64")
        for device in ("cpu", "cuda")
    )
    for name, loss in expected.losses.items():
        assert result.losses[name] == pytest.approx(loss, rel=1e-7), name
    assert torch.equal(on_cpu.code_matrix, on_gpu.code_matrix.cpu())


@VARIANTS
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_same_seed_gives_the_same(data, variant, precision):
    first, second = (trained(data, variant, precision=precision)[0] for _ in range(2))
    assert same_state(first, second)
    codes = [encode_dataset(method, "image", data.image) for method in (first, second)]
    assert np.isfinite(codes[0]).all()
    np.testing.assert_array_equal(*codes)


@VARIANTS
def test_resuming_gives_the_same(data, variant, tmp_path):
    whole, _ = trained(data, variant, epochs=4)
    trained(data, variant, epochs=2, checkpoint=tmp_path / "run")
    resumed, result = trained(data, variant, epochs=4, checkpoint=tmp_path / "run")
    assert result.resumed_from == 2
    assert same_state(whole, resumed)


@VARIANTS
def test_nothing_waits_for_the_device_between_the_steps_of_an_epoch(data, variant):
    method = built(data, variant)
    end_epoch = method.end_epoch

    def end(epoch):
        torch.cuda.set_sync_debug_mode("default")
        end_epoch(epoch)

    method.begin_epoch = lambda _: torch.cuda.set_sync_debug_mode("error")
    method.end_epoch = end
    try:
        fit(method, data, epochs=2, batch_size=16, device="cuda")
    finally:
        torch.cuda.set_sync_debug_mode("default")
