"""Equal to what the authors' program computed once: three whole steps, and the codes after them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cmh_dchmt import DCHMT, PRESETS, DCHMTConfig
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
LAYERS = {
    "fc.weight": "hidden.weight",
    "fc.bias": "hidden.bias",
    "head.weight": "choice_weight",
    "head.bias": "choice_bias",
}
NAMES = {
    f"{modality}.{theirs}": f"{modality}_net.{ours}"
    for modality in ("image", "text")
    for theirs, ours in LAYERS.items()
}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "dchmt_steps.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def constants(golden):
    return json.loads(str(golden["config"]))


def stored(golden, prefix):
    return {ours: torch.from_numpy(golden[f"{prefix}.{theirs}"]) for theirs, ours in NAMES.items()}


@pytest.fixture
def method(golden, constants):
    # The program's rate is spread over t_total steps: as many epochs of one step each.
    config = DCHMTConfig(
        bits=16,
        batch_size=12,
        epochs=constants["t_total"],
        hidden_width=10,
        learning_rate=constants["lr"],
        margin_share=constants["vartheta"],
    )
    spec = DataSpec(n_train=12, image_shape=(16,), text_width=16, n_label=6)
    method = DCHMT(config, spec).double()
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
    assert (config.weight_decay, config.warm_up) == (constants["weight_decay"], constants["warmup"])
    assert config.margin_share == constants["vartheta"]


def test_three_steps_are_those_of_the_program(golden, method):
    for step in range(3):
        batch = batch_of(golden, step)
        with torch.no_grad():
            for name, network in (("image", method.image_net), ("text", method.text_net)):
                choices = network(getattr(batch, name))
                expected = torch.from_numpy(golden[f"h_{name}.{step}"])
                torch.testing.assert_close(choices, expected, **TOLERANCE)
        losses = method.update(batch)
        expected = torch.from_numpy(golden[f"losses.{step}"])
        torch.testing.assert_close(torch.stack(tuple(losses.values())), expected, **TOLERANCE)
        if step < 2:
            gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
            torch.testing.assert_close(gradients, stored(golden, f"grad{step}"), **TOLERANCE)
        weights = dict(method.named_parameters())
        torch.testing.assert_close(weights, stored(golden, f"after.{step}"), **TOLERANCE)
    for name, features in (("image", golden["images"]), ("text", golden["texts"])):
        with torch.no_grad():
            bits = method.encode(name, torch.from_numpy(features)) >= 0
        np.testing.assert_array_equal(bits, golden[f"codes_{name}"] > 0)


def test_in_the_first_step_two_missing_samples_meet(golden, method):
    """Text 1 and image 2 are zeros and share no label: a plain square root would make NaN of the weights."""
    batch = batch_of(golden, 0)
    assert not batch.text[1].any()
    assert not batch.image[2].any()
    assert not (batch.label[1] * batch.label[2]).any()
    assert torch.equal(method.text_net(batch.text)[1], method.image_net(batch.image)[2])
    method.update(batch)
    assert all(torch.isfinite(parameter.grad).all() for parameter in method.parameters())
