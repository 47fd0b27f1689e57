"""Equal to what the authors' program computed once."""

import json
from pathlib import Path

import cmh_jdsh
import numpy as np
import pytest
import torch
from cmh_jdsh._dsdw import MIRFLICKR25K_DSDW, NUSWIDE_TC10_DSDW, sharpen
from cmh_jdsh._losses import similarity_losses, total_loss
from cmh_jdsh._similarity import joint_similarity
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "jdsh_mir.npz", allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}
    config = json.loads(str(values.pop("config")))
    return {name: torch.from_numpy(np.asarray(value)) for name, value in values.items()} | {"config": config}


def test_preset_holds_the_programs_constants(golden):
    config, preset = golden["config"], cmh_jdsh.PRESETS["mirflickr25k"]
    constants = preset.dsdw
    for ours, theirs in (
        (preset.image_share, "alpha"),
        (preset.text_share, "beta"),
        (preset.joint_share, "lamb"),
        (preset.scale, "mu"),
        (preset.intra_weight, "INTRA"),
        (preset.image_learning_rate, "LR_IMG"),
        (preset.text_learning_rate, "LR_TXT"),
        (preset.momentum, "MOMENTUM"),
        (preset.weight_decay, "WEIGHT_DECAY"),
        (preset.batch_size, "BATCH_SIZE"),
        (preset.epochs, "NUM_EPOCH"),
        (constants.minimum, "MIN"),
        (constants.maximum, "MAX"),
        (constants.left_location, "LOC_LEFT"),
        (constants.left_scale, "SCALE_LEFT"),
        (constants.left_factor, "ALPHA"),
        (constants.left_weight, "L1"),
        (constants.right_location, "LOC_RIGHT"),
        (constants.right_scale, "SCALE_RIGHT"),
        (constants.right_factor, "BETA"),
        (constants.right_weight, "L2"),
    ):
        assert ours == config[theirs], theirs


def test_target_and_loss_are_golden(golden):
    preset = cmh_jdsh.PRESETS["mirflickr25k"]
    similarity = joint_similarity(
        golden["feat_image"], golden["text"], image_share=0.5, text_share=0.1, joint_share=0.4
    )
    target = preset.scale * sharpen(similarity, **preset.dsdw.sharpening())
    torch.testing.assert_close(target, golden["S"], **TOLERANCE)
    losses = similarity_losses(golden["code_image"], golden["code_text"], golden["S"])
    torch.testing.assert_close(total_loss(losses), golden["loss"], **TOLERANCE)


def test_step_gives_the_golden_loss(golden):
    """Heads that undo the tanh let the golden codes pass through a whole step."""
    n, bits = golden["code_image"].shape
    spec = DataSpec(
        n_train=n, image_shape=(golden["feat_image"].shape[1],), text_width=golden["text"].shape[1]
    )
    method = cmh_jdsh.JDSH(cmh_jdsh.JDSHConfig(bits=bits, text_widths=(8,)), spec).double()

    class Given(torch.nn.Module):
        def __init__(self, code):
            super().__init__()
            self.hidden = torch.nn.Parameter(torch.atanh(code))

        def forward(self, _):
            return self.hidden

    method.image_net, method.text_net = Given(golden["code_image"]), Given(golden["code_text"])
    present = golden["text"].any(dim=1)
    assert not present[3]
    losses = method.update(
        Batch(
            image=golden["feat_image"],
            text=golden["text"],
            label=None,
            index=torch.arange(n),
            image_present=torch.ones(n, dtype=torch.bool),
            text_present=present,
        )
    )
    torch.testing.assert_close(losses["total"], golden["loss"], **TOLERANCE)


def test_loss_gradient_is_the_slope(golden):
    codes = [golden[name][:5].clone().requires_grad_() for name in ("code_image", "code_text")]
    target = golden["S"][:5, :5]

    def total(*codes):
        return total_loss(similarity_losses(*codes, target))

    assert torch.autograd.gradcheck(total, codes)


@pytest.mark.parametrize(
    ("constants", "left", "right"),
    [(MIRFLICKR25K_DSDW, -0.528, -0.138), (NUSWIDE_TC10_DSDW, -0.6456, -0.276)],
)
def test_thresholds(constants, left, right):
    sharpening = constants.sharpening()
    assert sharpening["left"] == pytest.approx(left)
    assert sharpening["right"] == pytest.approx(right)


@pytest.mark.parametrize(("preset", "target"), [("mirflickr25k", 1.786), ("nuswide-tc21", 1.760)])
def test_target_of_a_sample_with_itself(preset, target):
    config = cmh_jdsh.PRESETS[preset]
    sharpened = sharpen(torch.tensor(1.0, dtype=torch.float64), **config.dsdw.sharpening())
    assert config.scale * sharpened.item() == pytest.approx(target, abs=5e-4)
