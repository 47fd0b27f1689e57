"""One whole training step against the original program's numbers, in float64."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cmh_dadh import DADH, DADHConfig
from cmh_dadh._codes import project_labels
from cmh_dadh._losses import discriminator_losses
from cmh_train import Batch, DataSpec

GOLDEN = Path(__file__).parent / "golden" / "dadh_step.npz"
NAMES = {
    "image_module": "image_net",
    "text_module": "text_net",
    "feature_dis": "discriminator.feature",
    "hash_dis": "discriminator.code",
}


def ours(name):
    """The golden file's name of a weight, in our networks; None for a counter that no formula uses."""
    part, rest = name.split(".", 1)
    if rest.endswith("num_batches_tracked"):
        return None
    if part == "hash_module":
        modality, _, field = rest.split(".")
        return f"{modality}_head.{field}"
    position, field = rest.split(".")
    if part in ("feature_dis", "hash_dis"):
        return f"{NAMES[part]}.{position}.{field}"
    layer, kind = divmod(int(position), 3)
    return f"{NAMES[part]}.{('linear', 'norm')[kind]}.{layer}.{field}"


def load_weights(golden, prefix):
    names = [name for name in golden if name.startswith(prefix)]
    pairs = [(ours(name.removeprefix(prefix).split(".", 1)[1]), golden[name]) for name in names]
    return {name: torch.from_numpy(value) for name, value in pairs if name}


@pytest.fixture(scope="module")
def start():
    with np.load(GOLDEN, allow_pickle=False) as file:
        golden = {name: file[name] for name in file.files}
    config = DADHConfig(bits=16, layer_widths=(64, 32, 16))
    data = DataSpec(n_train=24, image_shape=(12,), text_width=10, n_label=8)
    method = DADH(config, data).double()
    weights = load_weights(golden, "init.") | {"code_matrix": torch.from_numpy(golden["B0"])}
    missing, unexpected = method.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.endswith(("num_batches_tracked", "image_codes", "text_codes")) for name in missing)
    return golden, method.train()


@pytest.fixture(scope="module")
def step(start):
    golden, method = start[0], deepcopy(start[1])
    mixes = iter([golden["alpha_feature"], golden["alpha_hash"]])
    method._draw_shares = lambda _: torch.from_numpy(next(mixes))
    index = torch.arange(16)
    arrays = {name: torch.from_numpy(golden[name]) for name in ("images", "texts", "labels")}
    method.begin_training(SimpleNamespace(label=arrays["labels"], completed=False))
    present = torch.ones(16, dtype=torch.bool)
    losses = method.update(
        Batch(
            image=arrays["images"][index],
            text=arrays["texts"][index],
            label=arrays["labels"][index],
            index=index,
            image_present=present,
            text_present=present,
        )
    )
    return golden, method, losses


def close(actual, expected):
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_losses(step):
    golden, _, losses = step
    names = [
        "triplet_image_to_text",
        "triplet_text_to_image",
        "quantisation",
        "adversarial_feature",
        "adversarial_code",
        "total",
    ]
    for name, expected in zip(names, golden["losses"], strict=True):
        close(losses[name], expected)


def test_features(start):
    golden, method = start[0], deepcopy(start[1])
    close(method._image_features(torch.from_numpy(golden["images"][:16])), golden["f_image"])
    close(method._text_features(torch.from_numpy(golden["texts"][:16])), golden["f_text"])


@pytest.mark.parametrize(("kind", "letter"), [("feature", "f"), ("hash", "h")])
def test_discriminator_parts(start, kind, letter):
    golden, method = start
    discriminator = method.discriminator[{"feature": "feature", "hash": "code"}[kind]]
    inputs = (golden[f"{letter}_image"], golden[f"{letter}_text"], golden[f"alpha_{kind}"])
    real, fake, penalty = discriminator_losses(discriminator, *map(torch.from_numpy, inputs))
    for actual, expected in zip((real, fake, 10 * penalty), golden[f"disc_{kind}_real_fake_gp"], strict=True):
        close(actual, expected)


def test_label_projection(start):
    golden, _ = start
    close(project_labels(*(torch.from_numpy(golden[name]) for name in ("labels", "B0")), 1.0), golden["P"])


@pytest.mark.parametrize("kind", ["feature", "hash"])
def test_discriminator_losses(step, kind):
    golden, _, losses = step
    real, fake, penalty = golden[f"disc_{kind}_real_fake_gp"]
    # The file holds the penalty with its weight of 10 where the sum says so.
    ours = losses[{"feature": "discriminator_feature", "hash": "discriminator_code"}[kind]]
    close(ours, real + fake + penalty)


def test_codes_before_the_step_are_kept(step):
    golden, method, _ = step
    close(method.image_codes[:16], golden["h_image"])
    close(method.text_codes[:16], golden["h_text"])
    assert not method.image_codes[16:].any()


def test_weights_after_the_step(step):
    golden, method, _ = step
    state = method.state_dict()
    for name, expected in load_weights(golden, "after.").items():
        # A bias before batch norm has no gradient but rounding noise, which Adam divides by about its eps of
        # 1e-8.
        scale = expected.abs().max().item()
        np.testing.assert_allclose(state[name], expected, rtol=0, atol=1e-9 * scale)


def test_code_update(step):
    golden, method, _ = step
    method.end_epoch(1)
    np.testing.assert_array_equal(method.code_matrix.numpy(), golden["B1"])
    assert method.optimisers()["networks"].param_groups[0]["lr"] == 5e-5  # decays after epochs 0, 100, 200
