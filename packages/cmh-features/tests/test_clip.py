"""CLIP of open-clip-torch with a small random model and the real vocabulary: needs the group `test-clip`."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder
from PIL import Image

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip", reason="needs the group test-clip")

TEXTS = ["a red apple", "a sailing boat on the sea"]


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configs")
    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    }
    (folder / "tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    return "tiny-test"


@pytest.fixture(scope="module")
def model(name):
    torch.manual_seed(0)
    return open_clip.create_model(name).eval()


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(3)]


def save(model, path, kind):
    if kind == "safetensors":
        pytest.importorskip("safetensors.torch").save_model(model, str(path))
    elif kind == "training":  # what open_clip's training writes
        state = {f"module.{key}": value for key, value in model.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        torch.save(model.state_dict(), path)
    return path


@pytest.mark.parametrize("kind", ["plain", "training", "safetensors"])
def test_features_are_those_of_the_model(tmp_path, name, model, images, kind):
    ending = ".safetensors" if kind == "safetensors" else ".pt"
    path = save(model, tmp_path / f"weights{ending}", kind)
    encoder = load_encoder(f"open_clip:{name}:{path}", device="cpu")
    assert encoder.width == 64
    _, _, preprocess = open_clip.create_model_and_transforms(name)
    with torch.inference_mode():
        from_images = model.encode_image(torch.stack([preprocess(one) for one in images]), normalize=True)
        from_texts = model.encode_text(open_clip.get_tokenizer(name)(TEXTS), normalize=True)
    assert np.allclose(encoder.encode_images(images).features, from_images.numpy(), atol=1e-5)
    assert np.allclose(encoder.encode_texts(TEXTS).features, from_texts.numpy(), atol=1e-5)


def test_an_archive_of_openai_is_computed_with_the_quick_gelu(tmp_path, name, images):
    torch.manual_seed(1)
    quick = open_clip.create_model(name, force_quick_gelu=True).eval()

    class Archive(torch.nn.Module):  # the names of the tensors are what counts
        def __init__(self):
            super().__init__()
            for key, value in quick.state_dict().items():
                *path, last = key.split(".")
                place = self
                for part in path:
                    if not hasattr(place, part):
                        place.add_module(part, torch.nn.Module())
                    place = getattr(place, part)
                place.register_buffer(last, value)

        def forward(self, x):
            return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its old archives deprecated
        torch.jit.save(torch.jit.script(Archive()), tmp_path / "ViT.pt")
    encoder = load_encoder(f"open_clip:{name}:{tmp_path / 'ViT.pt'}", device="cpu")
    _, _, preprocess = open_clip.create_model_and_transforms(name)
    with torch.inference_mode():
        expected = quick.encode_image(torch.stack([preprocess(one) for one in images]), normalize=True)
    assert np.allclose(encoder.encode_images(images).features, expected.numpy(), atol=1e-5)


def test_the_real_vocabulary_is_used(tmp_path, name, model):
    encoder = load_encoder(f"open_clip:{name}:{save(model, tmp_path / 'w.pt', 'plain')}", device="cpu")
    assert encoder._tokenizer(["a red apple"])[0, :5].tolist() == [49406, 320, 736, 3055, 49407]


def test_missing_weights_are_named_with_their_source():
    with pytest.raises(
        EncoderUnavailableError, match=r"open_clip:ViT-B-32 needs a file of weights.*huggingface\.co/"
    ):
        load_encoder("open_clip:ViT-B-32")
    with pytest.raises(EncoderUnavailableError, match=r"but there is no /nowhere/w\.pt; for example hugg"):
        load_encoder("open_clip:ViT-B-32:/nowhere/w.pt")


def test_unknown_models_and_foreign_tokenizers_say_what_to_do():
    with pytest.raises(
        EncoderUnavailableError, match=r"names no model of open-clip-torch.*open_clip:NAME:PATH"
    ):
        load_encoder("open_clip:ViT-B-99:w.pt")
    with pytest.raises(EncoderUnavailableError, match="use transformers:FOLDER"):
        load_encoder("open_clip:ViT-B-16-SigLIP:w.pt")


def test_weights_of_another_model_are_refused(tmp_path, name):
    torch.save({"x": torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt does not hold the weights of open_clip:tiny-test"):
        load_encoder(f"open_clip:{name}:{tmp_path / 'w.pt'}")
