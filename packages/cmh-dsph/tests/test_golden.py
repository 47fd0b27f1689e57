"""Equal to what the authors' program computed once: three whole steps and the table of thresholds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cmh_dsph import DSPH, PRESETS, DSPHConfig, similarity_threshold
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
NAMES = {
    "image.weight": "image_net.0.weight",
    "image.bias": "image_net.0.bias",
    "text.weight": "text_net.0.weight",
    "text.bias": "text_net.0.bias",
    "proxies": "proxies",
}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "dsph_steps.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def constants(golden):
    return json.loads(str(golden["config"]))


def stored(golden, prefix):
    return {ours: torch.from_numpy(golden[f"{prefix}.{theirs}"]) for theirs, ours in NAMES.items()}


@pytest.fixture
def method(golden, constants):
    # The program's rate is spread over t_total steps: as many epochs of one step each.
    config = DSPHConfig(bits=16, batch_size=12, epochs=constants["t_total"], dropout=0.0)
    spec = DataSpec(n_train=12, image_shape=(10,), text_width=10, n_label=40)
    method = DSPH(config, spec).double()
    method.load_state_dict(stored(golden, "init"))
    return method


def batch_of(golden, step):
    rows = slice(12 * step, 12 * step + 12)
    here = torch.ones(12, dtype=torch.bool)
    image, text, label = (torch.from_numpy(golden[name][rows]) for name in ("images", "texts", "labels"))
    return Batch(
        image=image,
        text=text,
        label=label,
        index=torch.arange(12),
        image_present=here,
        text_present=here,
    )


def test_constants_are_those_of_the_program(constants):
    config = PRESETS["mirflickr25k"]
    assert (config.learning_rate, config.warm_up) == (constants["lr"], constants["warmup"])
    assert (config.weight_decay, config.separation_weight) == (constants["weight_decay"], constants["alpha"])
    proxies = (config.proxy_learning_rate, config.proxy_momentum, config.proxy_weight_decay)
    assert proxies == tuple(constants[f"proxy_{name}"] for name in ("lr", "momentum", "weight_decay"))


def test_three_steps_are_those_of_the_program(golden, method):
    assert method.threshold == golden["threshold"]
    for step in range(3):
        batch = batch_of(golden, step)
        with torch.no_grad():
            for name in ("image", "text"):
                codes = method.encode(name, getattr(batch, name))
                torch.testing.assert_close(codes, torch.from_numpy(golden[f"h_{name}.{step}"]), **TOLERANCE)
        losses = method.update(batch)
        parts = (losses["proxy_image"] + losses["proxy_text"], 0.8 * losses["separation"], losses["total"])
        expected = torch.from_numpy(golden[f"losses.{step}"])
        torch.testing.assert_close(torch.stack(parts), expected, **TOLERANCE)
        if step < 2:
            gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
            torch.testing.assert_close(gradients, stored(golden, f"grad{step}"), **TOLERANCE)
        weights = dict(method.named_parameters())
        torch.testing.assert_close(weights, stored(golden, f"after.{step}"), **TOLERANCE)


def test_the_third_batch_has_no_pair_to_separate(golden, method):
    assert method.update(batch_of(golden, 2))["separation"].item() == golden["losses.2"][1] == 0


def test_thresholds_are_those_of_the_program(golden):
    lengths, columns = (
        golden["threshold_table_bits"].tolist(),
        golden["threshold_table_log2_classes"].tolist(),
    )
    ours = [[similarity_threshold(bits, 2**column) for column in columns] for bits in lengths]
    np.testing.assert_allclose(ours, golden["threshold_table"], rtol=1e-12)
    np.testing.assert_allclose(
        [[similarity_threshold(bits, 2**column + 1) for column in columns[:-1]] for bits in lengths],
        golden["threshold_table"][:, 1:],
        rtol=1e-12,
    )
