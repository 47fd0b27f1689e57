"""Equal to what the authors' program computed once."""

import json
from pathlib import Path
from types import SimpleNamespace

import cmh_agah
import numpy as np
import pytest
import torch
from cmh_agah._attention import attend, normalise_batch
from cmh_agah._updates import update_label_codes, update_label_memory
from cmh_train import Batch, DataSpec

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "agah_losses.npz", allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}
    meta = json.loads(str(values.pop("meta")))
    names = [str(name) for name in values.pop("loss_names")]
    tensors = {name: torch.from_numpy(value) for name, value in values.items()}
    return tensors | {"meta": meta, "loss": dict(zip(names, tensors["losses"], strict=True))}


@pytest.fixture
def method(golden):
    """AGAH with the golden weights; its trunks let the golden features pass."""
    meta = golden["meta"]
    config = cmh_agah.AGAHConfig(
        bits=meta["bit"],
        feature_width=meta["emb_dim"],
        discriminator_widths=(32, 256),
        text_widths=(),
        discriminator_learning_rate=1e-300,  # all golden losses are those of the first weights
    )
    width = meta["emb_dim"]
    spec = DataSpec(n_train=64, image_shape=(width,), text_width=width, n_label=meta["num_label"])
    agah = cmh_agah.AGAH(config, spec).double()
    agah.trunk["image"] = agah.trunk["text"] = torch.nn.Identity()
    weights = {
        f"{ours}.{modality}.{part}": golden[f"init.{theirs}.{short}.0.{part}"]
        for ours, theirs in (("hash_head", "hash_module"), ("class_head", "classifier"))
        for modality, short in (("image", "img"), ("text", "txt"))
        for part in ("weight", "bias")
    } | {
        f"discriminator.{modality}.{layer}.{part}": golden[f"init.{short}_discriminator.{layer}.{part}"]
        for modality, short in (("image", "img"), ("text", "txt"))
        for layer in (0, 2, 4)
        for part in ("weight", "bias")
    }
    state = agah.state_dict()
    state |= {name: value.reshape(state[name].shape) for name, value in weights.items()}
    state |= {"label_codes": golden["code_map"], "label_memory": golden["feature_map"]}
    agah.load_state_dict(state)
    agah.begin_training(SimpleNamespace(label=golden["labels"]))
    return agah


@pytest.fixture
def batch(golden):
    n = golden["meta"]["batch"]
    return Batch(
        image=golden["feat_image"],
        text=golden["feat_text"],
        label=golden["labels"][:n],
        index=torch.arange(n),
        image_present=torch.ones(n, dtype=torch.bool),
        text_present=torch.ones(n, dtype=torch.bool),
    )


def test_step_gives_the_golden_losses(golden, method, batch, monkeypatch):
    monkeypatch.setattr(torch, "rand_like", lambda _: golden["alpha_gp"])
    losses = method.update(batch)
    expected = {
        "triplet_image_to_text": "triplet_i2t",
        "triplet_text_to_image": "triplet_t2i",
        "cosine_quantisation": "cos_quantisation(alpha)",
        "classification": "classification(beta)",
        "label_code": "code_map(gamma)",
        "quantisation": "quantisation(eta)",
        "adversarial": "adversarial(mu)",
        "total": "total",
    }
    for ours, theirs in expected.items():
        torch.testing.assert_close(losses[ours], golden["loss"][theirs], **TOLERANCE)
    penalty = method.config.gradient_penalty_weight * losses["gradient_penalty_text"]
    torch.testing.assert_close(penalty, golden["loss"]["gradient_penalty_txt"], **TOLERANCE)


def test_step_stores_the_golden_features_and_codes(golden, method, batch):
    method.update(batch)
    for modality in ("image", "text"):
        stored = method.get_buffer(f"{modality}_features")[:16], method.get_buffer(f"{modality}_codes")[:16]
        torch.testing.assert_close(stored[0], golden[f"f_{modality}"], **TOLERANCE)
        torch.testing.assert_close(stored[1], golden[f"h_{modality}"], **TOLERANCE)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_codes_and_classes_are_golden(golden, method, modality):
    code = method.encode(modality, golden[f"feat_{modality}"])
    torch.testing.assert_close(code, golden[f"h_{modality}"], **TOLERANCE)
    attended = attend(normalise_batch(golden[f"feat_{modality}"]), golden["feature_map"])
    probability = torch.sigmoid(method.class_head[modality](attended))
    torch.testing.assert_close(probability, golden[f"class_{modality}"], **TOLERANCE)


def test_label_codes_are_golden_to_the_sign(golden):
    after = update_label_codes(golden["code_map"], golden["U"], golden["V"], golden["labels"])
    assert torch.equal(after, golden["code_map_after"])


def test_label_memory_is_golden(golden):
    after = update_label_memory(golden["features_image_all"], golden["features_text_all"], golden["labels"])
    torch.testing.assert_close(after, golden["feature_map_after"], **TOLERANCE)


def test_end_of_epoch_makes_both_golden_updates(golden, method):
    method.image_codes.copy_(golden["U"])
    method.text_codes.copy_(golden["V"])
    method.image_features.copy_(golden["features_image_all"])
    method.text_features.copy_(golden["features_text_all"])
    method.end_epoch(1)
    assert torch.equal(method.label_codes, golden["code_map_after"])
    torch.testing.assert_close(method.label_memory, golden["feature_map_after"], **TOLERANCE)
