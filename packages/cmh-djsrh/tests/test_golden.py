"""Equal to what the authors' program computed once: three whole steps, gradients and weights included."""

import json
from pathlib import Path

import cmh_djsrh
import numpy as np
import pytest
import torch
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
NAMES = {"image.fc_encode": "image_net.0", "text.fc1": "text_net.0", "text.fc2": "text_net.2"}  # theirs: ours


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "djsrh_steps.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def constants(golden):
    return json.loads(str(golden["config"]))


def stored(golden, prefix):
    """Arrays whose names begin with `prefix`, by our names of the weights."""
    return {
        ours + name.removeprefix(prefix + theirs): torch.from_numpy(values)
        for name, values in golden.items()
        for theirs, ours in NAMES.items()
        if name.startswith(prefix + theirs)
    }


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


@pytest.fixture
def method(golden, constants):
    weights = stored(golden, "init.")
    config = cmh_djsrh.PRESETS["mirflickr25k"].model_copy(
        update={"bits": constants["bits"], "text_widths": (len(weights["text_net.0.weight"]),)}
    )
    images, texts = golden["images"], golden["texts"]
    spec = DataSpec(n_train=len(images), image_shape=(images.shape[1],), text_width=texts.shape[1])
    method = cmh_djsrh.DJSRH(config, spec).double()
    method.load_state_dict(weights | {"code_sharpness": torch.ones(())})
    method.begin_epoch(constants["epoch"])
    return method


def test_preset_holds_the_programs_constants(constants):
    preset = cmh_djsrh.PRESETS["mirflickr25k"]
    for ours, theirs in (
        (preset.image_share, "BETA"),
        (preset.joint_share, "ETA"),
        (preset.scale, "MU"),
        (preset.intra_image_weight, "LAMBDA1"),
        (preset.intra_text_weight, "LAMBDA2"),
        (preset.image_learning_rate, "LR_IMG"),
        (preset.text_learning_rate, "LR_TXT"),
        (preset.momentum, "MOMENTUM"),
        (preset.weight_decay, "WEIGHT_DECAY"),
    ):
        assert ours == constants[theirs], theirs
    assert (preset.batch_size, preset.epochs) == (32, 80)


def test_some_texts_are_missing(golden):
    """Whatever is golden holds for rows of zeros too."""
    assert not golden["texts"].any(axis=1).all()


def test_three_steps_are_golden(golden, constants, method):
    for step in range(3):
        batch = batch_of_step(golden, constants, step)
        target = cmh_djsrh.joint_similarity(batch.image, batch.text)
        torch.testing.assert_close(target, torch.from_numpy(golden[f"S.{step}"]), **TOLERANCE)
        losses = method.update(batch)
        found = torch.stack([losses[name] for name in ("intra_image", "cross", "intra_text", "total")])
        torch.testing.assert_close(found, torch.from_numpy(golden[f"losses.{step}"]), **TOLERANCE)
        if step < 2:
            gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
            torch.testing.assert_close(gradients, stored(golden, f"grad{step}."), **TOLERANCE)
        weights = dict(method.named_parameters())
        torch.testing.assert_close(weights, stored(golden, f"after.{step}."), **TOLERANCE)
