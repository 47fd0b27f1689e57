"""A trained model in a folder: what it encodes, and what is said where it cannot."""

import json
import logging
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
import pytest
import torch
from cmh_train import (
    ModelDescription,
    ModelError,
    _model,
    build_method,
    encode_dataset,
    find_model,
    fit,
    load_model,
    save_model,
)


@pytest.fixture
def trained(data, spec):
    method = build_method(spec, {"bits": 16}, data.spec, seed=0)
    fit(method, data, epochs=1, batch_size=16, seed=0)
    return method


@pytest.fixture
def description(data):
    return ModelDescription(
        method="toy",
        options={"bits": 16},
        data_spec=data.spec,
        encoders={"text": {"name": "letters", "digest": "abc" * 10, "version": "1"}},
        label_names=("cat", "dog", "boat"),
        data_digest="d" * 64,
        versions={"cmh-train": "0.1.0"},
    )


@dataclass
class Letters:
    """Counts five letters; an empty text cannot be encoded."""

    digest: str = "abc" * 10

    @property
    def identity(self):
        return self

    def encode_texts(self, items):
        features = np.array([[item.count(letter) for letter in "abcde"] for item in items], np.float32)
        return Found(features, np.array([bool(item) for item in items]))


@dataclass
class Found:
    features: np.ndarray
    present: np.ndarray


@pytest.fixture
def folder(tmp_path, trained, description):
    save_model(tmp_path / "model", trained, description)
    return tmp_path / "model"


def test_a_model_encodes_as_it_did_when_it_was_written(folder, spec, trained, data, description):
    model = load_model(folder, method=spec)
    assert model.bits == 16
    assert not model.depends_on_batch
    assert model.description == description
    assert np.array_equal(model.encode_images(data.image), encode_dataset(trained, "image", data.image))
    assert np.array_equal(model.encode_texts(data.text), encode_dataset(trained, "text", data.text))


def test_raw_texts_go_through_the_named_encoder(folder, spec, trained, caplog):
    model = load_model(folder, method=spec, load_encoder=lambda name: {"letters": Letters()}[name])
    with caplog.at_level(logging.WARNING):
        outputs = model.encode_texts(["a bad cab", "", "bee"])
    assert np.isnan(outputs[1]).all()
    assert "1 of 3 texts cannot be encoded, the first is ''" in caplog.text
    expected = encode_dataset(trained, "text", np.array([[3, 2, 1, 1, 0], [0, 1, 0, 0, 2]], np.float32))
    assert np.allclose(outputs[[0, 2]], expected, atol=1e-6)


def test_another_version_of_the_packages_that_make_codes_is_named(
    tmp_path, trained, description, spec, caplog, monkeypatch
):
    monkeypatch.setattr(_model, "method_package", lambda name: (f"cmh-{name}", "0.2.0"))
    here = metadata.version("cmh-train")
    for written, said in (
        ({"cmh-toy": "0.1.0", "cmh-train": here}, "was written with cmh-toy 0.1.0 (here 0.2.0); codes"),
        ({"cmh-toy": "0.2.0", "cmh-train": here, "torch": "0.1"}, ""),
        ({"cmh-train": "0.0.1"}, f"was written with cmh-train 0.0.1 (here {here}); codes may differ"),
    ):
        caplog.clear()
        save_model(tmp_path / "model", trained, replace(description, versions=written))
        load_model(tmp_path / "model", method=spec)
        assert (said in caplog.text) if said else not caplog.text
    save_model(tmp_path / "model", trained, replace(description, method="old", versions={"cmh-toy": "0.1.0"}))
    load_model(tmp_path / "model", method=replace(spec, aliases=("old",)))
    assert "was written with cmh-toy 0.1.0 (here 0.2.0)" in caplog.text


def test_an_encoder_with_other_weights_is_refused(folder, spec):
    model = load_model(folder, method=spec, load_encoder=lambda _: Letters(digest="xyz" * 10))
    with pytest.raises(ModelError, match="encoder letters has other weights here"):
        model.encode_texts(["a"])


def test_pictures_without_an_encoder_are_refused_with_the_shape_of_features(folder, spec):
    with pytest.raises(ModelError, match=r"no encoder is recorded; give features of shape \(n, 6\)"):
        load_model(folder, method=spec).encode_images(["a.jpg"])


def test_features_of_another_width_are_refused(folder, spec):
    with pytest.raises(ModelError, match="7"):
        load_model(folder, method=spec).encode_images(np.ones((2, 7), np.float32))


def test_no_items_are_refused(folder, spec):
    with pytest.raises(ModelError, match="texts must hold at least one item"):
        load_model(folder, method=spec).encode_texts([])


def test_a_model_replaces_a_model_and_nothing_else(folder, spec, trained, description, tmp_path):
    save_model(folder, trained, replace(description, label_names=()))
    assert load_model(folder, method=spec).description.label_names == ()
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(ModelError, match="holds something else"):
        save_model(tmp_path, trained, description)


def test_what_a_killed_process_left_is_no_other_thing(folder, trained, description):
    for name in ("model.json", "weights.safetensors"):
        (folder / f".{name}.7.part").touch()
    save_model(folder, trained, description)
    assert {path.name for path in folder.iterdir()} == {"model.json", "weights.safetensors"}


def test_a_full_disk_leaves_the_model_that_was_there(folder, trained, description, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    flushed = []

    def fill_up(_):
        flushed.append(None)
        if len(flushed) == 2:  # with the description
            raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fill_up)
    with torch.no_grad():
        next(trained.parameters()).add_(1)
    with pytest.raises(OSError, match="no space left"):
        save_model(folder, trained, description)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_method_of_another_name_is_refused(folder, spec):
    other = replace(spec, name="other", aliases=())
    with pytest.raises(ModelError, match="is a model of toy, but method is other; give that of toy, or None"):
        load_model(folder, method=other)
    assert load_model(folder, method=replace(other, aliases=("toy",))).bits == 16


def edit(folder, **values):
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | values))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "model.json").unlink(), "is not a model: it has no model.json"),
        (lambda folder: (folder / "model.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "model.json").write_text("[]"), "describes no model"),
        (lambda folder: edit(folder, version=7), "has version 7, but this cmh-train reads version 1"),
        (lambda folder: edit(folder, data_spec={}), "is damaged"),
        (lambda folder: edit(folder, surprise=1), "is damaged"),
        (lambda folder: edit(folder, method=3), "is damaged"),
        (lambda folder: edit(folder, options=[]), "is damaged"),
        (lambda folder: edit(folder, encoders=None), "is damaged"),
        (lambda folder: edit(folder, options={"bits": 32}), "does not fit the method toy"),
        (lambda folder: edit(folder, options={"colour": 1}), "has no option 'colour'"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "has no weights.safetensors"),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"no"), "damaged"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder, spec, damage, says):
    damage(folder)
    with pytest.raises(ModelError, match=says):
        load_model(folder, method=spec)


def test_a_method_that_is_not_installed_is_named(folder):
    with pytest.raises(ModelError, match=r"needs a method that cannot be loaded here: .*toy"):
        load_model(folder)


def test_loading_leaves_the_random_numbers_alone(folder, spec):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load_model(folder, method=spec)
    assert torch.equal(torch.rand(1), expected)


def test_a_folder_with_one_model_in_it_is_that_model(folder, spec, data, trained, description):
    assert find_model(folder.parent) == folder
    outputs = load_model(folder.parent, method=spec).encode_images(data.image)
    assert np.array_equal(outputs, encode_dataset(trained, "image", data.image))
    save_model(folder.parent / "other", trained, description)
    with pytest.raises(ModelError, match=r"holds 2 models \(model, other\); name one of them"):
        load_model(folder.parent, method=spec)


class Fitted(Letters):
    def restore(self, fitted):
        self.digest = fitted["digest"]


def test_what_an_encoder_learned_travels_with_the_model(tmp_path, spec, trained, description):
    identity = {"name": "letters", "digest": "of these texts", "fitted": {"digest": "of these texts"}}
    save_model(tmp_path / "m", trained, replace(description, encoders={"text": identity}))
    model = load_model(tmp_path / "m", method=spec, load_encoder=lambda _: Fitted(digest="of nothing"))
    assert model.encode_texts(["a"]).shape == (1, 16)


def test_the_digest_tells_weights_apart(folder, spec, trained, description):
    digest = load_model(folder, method=spec).digest
    assert load_model(folder, method=spec).digest == digest
    with torch.no_grad():
        next(trained.parameters()).view(-1)[0] += 1
    save_model(folder, trained, description)
    assert load_model(folder, method=spec).digest != digest
