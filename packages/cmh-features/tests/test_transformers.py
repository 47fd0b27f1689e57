"""CLIP and SigLIP folders with small random models: needs the dependency group `test-transformers`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cmh_features import EncoderUnavailableError, load_encoder
from PIL import Image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="needs the group test-transformers")
tokenizers = pytest.importorskip("tokenizers")

TEXTS = ["a red apple", "a boat"]
WORDS = ["<pad>", "<unk>", "<start>", "<end>", "a", "red", "apple", "boat"]


def write(folder, kind):
    """Write a model in the Hugging Face form; words of a made-up vocabulary are its tokens."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 32, "patch_size": 8,
    }  # fmt: skip
    text = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "vocab_size": len(WORDS), "max_position_embeddings": 16,
        "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
    }  # fmt: skip
    if kind == "clip":
        config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=24)
        model = transformers.CLIPModel(config)
        process = transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        )
    else:
        text["projection_size"] = 32
        config = transformers.SiglipConfig(vision_config=vision, text_config=text)
        model = transformers.SiglipModel(config)
        process = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, "<unk>")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", 3)]
    )
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<start>", "eos_token": "<end>"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special)
    for part in (model, process, fast):
        part.save_pretrained(folder)
    return model.eval(), process, fast


def rows(features):
    features = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(features, dim=1).numpy()


@pytest.mark.parametrize(("kind", "width"), [("clip", 24), ("siglip", 32)])
def test_features_are_those_of_the_model(tmp_path, kind, width):
    model, process, words = write(tmp_path, kind)
    encoder = load_encoder(f"transformers:{tmp_path}", device="cpu")
    assert encoder.width == width
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(3)]
    pixels = process(images, return_tensors="pt")["pixel_values"]
    padding = {"padding": "max_length", "max_length": 16} if kind == "siglip" else {"padding": True}
    tokens = words(TEXTS, return_tensors="pt", **padding)
    if kind == "siglip":
        tokens = {"input_ids": tokens["input_ids"]}
    else:
        tokens = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        from_images, from_texts = model.get_image_features(pixels), model.get_text_features(**tokens)
    assert np.allclose(encoder.encode_images(images).features, rows(from_images), atol=1e-4)
    assert np.allclose(encoder.encode_texts(TEXTS).features, rows(from_texts), atol=1e-5)


def test_missing_files_are_named_with_their_source(tmp_path):
    with pytest.raises(
        EncoderUnavailableError, match=r"a folder with a CLIP or SigLIP model.*huggingface\.co"
    ):
        load_encoder("transformers")
    with pytest.raises(EncoderUnavailableError, match=r"transformers needs config\.json, but there is no"):
        load_encoder(f"transformers:{tmp_path}")
    write(tmp_path, "clip")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(EncoderUnavailableError, match=r"transformers needs model\.safetensors in"):
        load_encoder(f"transformers:{tmp_path}")


def test_other_models_are_refused(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text("{}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(
        EncoderUnavailableError, match="must hold a model of the type clip or siglip, but it is bert"
    ):
        load_encoder(f"transformers:{tmp_path}")
    (tmp_path / "config.json").write_text("words")
    with pytest.raises(ValueError, match=r"config\.json must hold JSON"):
        load_encoder(f"transformers:{tmp_path}")
