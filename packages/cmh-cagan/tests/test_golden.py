"""Equal to what the authors' program computed once: three whole steps, gradients and weights included."""

import json
import math
from pathlib import Path

import cmh_cagan
import numpy as np
import pytest
import torch
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}

# Our names of the weights; graph weights are stored (in, out) in both.
NAMES = {
    "image.hash_layer": "image_net",
    "text.fc1": "text_net.0",
    "text.fc2": "text_net.2",
    "graph_image.weight": "image_graph.learned_adjacency",
    "graph_text.weight": "text_graph.learned_adjacency",
    "graph_image.gc1": "image_graph.layers.0",
    "graph_image.gc2": "image_graph.layers.1",
    "graph_image.linear": "image_graph.head",
    "graph_text.gc1": "text_graph.layers.0",
    "graph_text.gc2": "text_graph.layers.1",
    "graph_text.linear": "text_graph.head",
}


def ours(name, values):
    """A stored array by our name; the weights of words are stored (out, in), and here (in, out)."""
    theirs = next(theirs for theirs in NAMES if name.startswith(theirs))
    our_name = NAMES[theirs] + name.removeprefix(theirs)
    if our_name == "text_net.0.weight":
        return "text_net.0.transposed_weight", torch.from_numpy(values.T)
    return our_name, torch.from_numpy(values)


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "cagan_step.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def constants(golden):
    return json.loads(str(golden["config"]))


def stored(golden, prefix):
    """Arrays whose names begin with `prefix`, by our names of the weights."""
    return dict(
        ours(name.removeprefix(prefix), values) for name, values in golden.items() if name.startswith(prefix)
    )


@pytest.fixture
def method(golden, constants):
    weights = stored(golden, "init.")
    config = cmh_cagan.PRESETS["mirflickr25k"].model_copy(
        update={
            "bits": constants["bits"],
            "batch_size": constants["batch"],
            "image_widths": (len(weights["image_net.0.weight"]),),
            "text_widths": (len(weights["text_net.0.bias"]),),
            "graph_widths": tuple(len(weights[f"image_graph.layers.{i}.bias"]) for i in range(2)),
        }
    )
    images, texts = golden["images"], golden["texts"]
    spec = DataSpec(n_train=len(images), image_shape=(images.shape[1],), text_width=texts.shape[1])
    method = cmh_cagan.CAGAN(config, spec).double()
    assert method.state_dict().keys() - weights.keys() == {"code_sharpness"}
    method.load_state_dict(weights | {"code_sharpness": torch.ones(())})
    method.begin_epoch(constants["epoch"])
    return method


def batch_of_step(golden, constants, step):
    rows = slice(step * constants["batch"], (step + 1) * constants["batch"])
    images, texts = torch.from_numpy(golden["images"][rows]), torch.from_numpy(golden["texts"][rows])
    return Batch(
        image=images,
        text=texts,
        label=None,
        index=torch.arange(rows.start, rows.stop),
        image_present=images.any(dim=1),
        text_present=texts.any(dim=1),
    )


def test_presets_hold_the_programs_constants(constants):
    for name, graph_weight, attention_weight in (
        ("mirflickr25k", 0.15, 0.45),
        ("mscoco", 0.15, 0.45),
        ("nuswide-tc10", 0.25, 0.5),
    ):
        preset = cmh_cagan.PRESETS[name]
        for ours, theirs in (
            (preset.image_share, "eta"),
            (preset.text_share, "beta"),
            (preset.joint_share, "lamb"),
            (preset.scale, "mu"),
            (preset.intra_weight, "delta"),
            (preset.cross_weight, "epsilon"),
            (preset.learning_rate, "LR_IMG"),
            (preset.learning_rate, "LR_TXT"),
            (preset.momentum, "MOMENTUM"),
            (preset.weight_decay, "WEIGHT_DECAY"),
        ):
            assert ours == constants[theirs], theirs
        assert (preset.graph_weight, preset.attention_weight) == (graph_weight, attention_weight)
        assert (preset.bits, preset.batch_size, preset.epochs) == (128, 32, 20)


@pytest.mark.parametrize("step", range(3))
def test_target_and_loss_of_given_codes_are_golden(golden, constants, step):
    batch = batch_of_step(golden, constants, step)
    target = cmh_cagan.joint_similarity(batch.image, batch.text)
    torch.testing.assert_close(target, torch.from_numpy(golden[f"S.{step}"]), **TOLERANCE)
    codes = [
        torch.from_numpy(golden[f"code_{name}.{step}"])
        for name in ("image", "text", "graph_image", "graph_text")
    ]
    losses = cmh_cagan.similarity_losses(*codes, target)
    total = cmh_cagan.total_loss(losses)
    torch.testing.assert_close(total, torch.from_numpy(golden[f"loss.{step}"]), **TOLERANCE)


def test_three_steps_are_golden(golden, constants, method):
    sharpness = math.sqrt(constants["epoch"] + 1)
    gradients = {}  # kept as they come: a step may free them
    for name, parameter in method.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda parameter, name=name: gradients.update({name: parameter.grad.clone()})
        )
    for step in range(3):
        batch = batch_of_step(golden, constants, step)
        target = torch.from_numpy(golden[f"S.{step}"])
        with torch.no_grad():
            codes = {
                "code_image": method.encode("image", batch.image),
                "code_text": method.encode("text", batch.text),
                "code_graph_image": torch.tanh(sharpness * method.image_graph(batch.image, target)),
                "code_graph_text": torch.tanh(sharpness * method.text_graph(batch.text, target)),
            }
        for name, code in codes.items():
            torch.testing.assert_close(code, torch.from_numpy(golden[f"{name}.{step}"]), **TOLERANCE)
        losses = method.update(batch)
        torch.testing.assert_close(losses["total"], torch.from_numpy(golden[f"loss.{step}"]), **TOLERANCE)
        if step < 2:
            torch.testing.assert_close(gradients, stored(golden, f"grad{step}."), **TOLERANCE)
        weights = dict(method.named_parameters())
        torch.testing.assert_close(weights, stored(golden, f"after.{step}."), **TOLERANCE)
