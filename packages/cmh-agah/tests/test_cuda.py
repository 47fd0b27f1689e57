"""On a GPU: the CPU's losses, the same twice, resumed to the same, and no waiting inside an epoch."""

import numpy as np
import pytest
import torch
from cmh_train import TrainingData, build_method, encode_dataset, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

OPTIONS = {
    "bits": 16,
    "feature_width": 24,
    "text_widths": (32, 16),
    "discriminator_widths": (16, 8),
    "batch_size": 16,
}
NORMS = pytest.mark.parametrize("options", [{}, {"encode_norm": "training"}, {"normalise": "row"}])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    label = np.eye(3)[rng.integers(0, 3, 48)]
    return TrainingData.from_arrays(
        image=rng.random((48, 10)) + label @ rng.random((3, 10)), text=rng.random((48, 12)) < 0.3, label=label
    )


def trained(data, options, *, epochs=2, device="cuda", **settings):
    method = build_method("agah", OPTIONS | options, data.spec, 0)
    return method, fit(method, data, epochs=epochs, batch_size=16, seed=1, device=device, **settings)


def same_state(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@NORMS
def test_steps_are_those_of_the_cpu(data, options, monkeypatch):
    monkeypatch.setattr(torch, "rand_like", lambda like: torch.full_like(like, 0.3))
    (on_cpu, expected), (on_gpu, result) = (
        trained(data, options, epochs=1, device=device, precision="float64") for device in ("cpu", "cuda")
    )
    for name, losses in expected.losses.items():
        assert result.losses[name] == pytest.approx(losses, rel=1e-6), name
    assert torch.equal(on_cpu.label_codes, on_gpu.label_codes.cpu())
    codes = [encode_dataset(method, "text", data.text) for method in (on_cpu, on_gpu)]
    np.testing.assert_allclose(*codes, atol=1e-6)


@NORMS
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_same_seed_gives_the_same(data, options, precision):
    first, second = (trained(data, options, precision=precision)[0] for _ in range(2))
    assert same_state(first, second)
    assert np.isfinite(encode_dataset(first, "image", data.image)).all()


@NORMS
def test_resuming_gives_the_same(data, options, tmp_path):
    whole, _ = trained(data, options, epochs=4)
    trained(data, options, epochs=2, checkpoint=tmp_path / "run")
    resumed, result = trained(data, options, epochs=4, checkpoint=tmp_path / "run")
    assert result.resumed_from == 2
    assert same_state(whole, resumed)


@NORMS
def test_nothing_waits_for_the_device_between_the_steps_of_an_epoch(data, options):
    method = build_method("agah", OPTIONS | options, data.spec, 0)
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
