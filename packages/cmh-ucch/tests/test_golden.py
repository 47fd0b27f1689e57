"""Equal to what the authors' program computed once: three whole steps, gradients, memory and weights."""

import json
from pathlib import Path

import cmh_ucch
import numpy as np
import pytest
import torch
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
NAMES = {"image.fc": "image_net", "text.fc": "text_net"}  # theirs: ours


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "ucch_steps.npz", allow_pickle=False) as file:
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


def batch_of_step(golden, step):
    rows = golden[f"rows.{step}"]
    images, texts = torch.from_numpy(golden["images"][rows]), torch.from_numpy(golden["texts"][rows])
    return Batch(
        image=images,
        text=texts,
        label=None,
        index=torch.from_numpy(rows),
        image_present=images.any(dim=1),
        text_present=texts.any(dim=1),
    )


@pytest.fixture
def method(golden, constants):
    weights = stored(golden, "init.")
    options = {
        "bits": constants["bits"],
        "image_widths": (16, 16),
        "text_widths": (16,),
        "temperature": constants["T"],
        "negatives": constants["K"],
    }
    config = cmh_ucch.PRESETS["mirflickr25k"].model_copy(update=options)
    images, texts = golden["images"], golden["texts"]
    spec = DataSpec(n_train=len(images), image_shape=(images.shape[1],), text_width=texts.shape[1])
    method = cmh_ucch.UCCH(config, spec).double()
    method.load_state_dict(weights | {"memory": torch.from_numpy(golden["memory_init"])})
    return method


def test_preset_holds_the_programs_constants(constants):
    preset = cmh_ucch.PRESETS["mirflickr25k"]
    for ours, theirs in (
        (preset.contrast_weight, "alpha"),
        (preset.margin, "margin"),
        (preset.shift, "shift"),
        (preset.memory_momentum, "momentum"),
        (preset.learning_rate, "lr"),
        (preset.weight_decay, "wd"),
        (preset.warmup_epochs, "warmup_epoch"),
    ):
        assert ours == constants[theirs], theirs
    assert (preset.temperature, preset.negatives, preset.batch_size, preset.epochs) == (0.9, 4096, 256, 20)
    assert (preset.image_widths, preset.text_widths) == ((8192, 8192), (8192,))


def test_some_rows_are_missing(golden):
    """Whatever is golden holds for rows of zeros too."""
    assert not golden["texts"].any(axis=1).all()


def test_three_steps_are_golden(golden, constants, method, monkeypatch):
    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def watch(parameters, largest):
        parameters = list(parameters)
        if step < 2:  # before clipping
            gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
            torch.testing.assert_close(gradients, stored(golden, f"grad{step}."), **TOLERANCE)
        norms.append(clip(parameters, largest))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watch)
    for step, epoch in enumerate(constants["epochs"]):
        method.begin_epoch(epoch)
        batch = batch_of_step(golden, step)
        if step:
            negatives = torch.from_numpy(golden[f"negatives.{step}"])
            monkeypatch.setattr(method, "_draw_negatives", lambda _, drawn=negatives: drawn)
        with torch.no_grad():
            for modality in ("image", "text"):
                codes = method.encode(modality, getattr(batch, modality))
                torch.testing.assert_close(
                    codes, torch.from_numpy(golden[f"h_{modality}.{step}"]), **TOLERANCE
                )
        losses = method.update(batch)
        names = ("contrast_image", "contrast_text", "ranking", "total")
        found = torch.stack([losses[name] for name in names])
        torch.testing.assert_close(found, torch.from_numpy(golden[f"losses.{step}"]), **TOLERANCE)
        torch.testing.assert_close(method.memory, torch.from_numpy(golden[f"memory.{step}"]), **TOLERANCE)
        weights = dict(method.named_parameters())
        torch.testing.assert_close(weights, stored(golden, f"after.{step}."), **TOLERANCE)
    expected = torch.from_numpy(golden["gradient_norm"])
    assert expected.max() > 1, "clipping acts"
    torch.testing.assert_close(torch.stack(norms), expected, **TOLERANCE)
