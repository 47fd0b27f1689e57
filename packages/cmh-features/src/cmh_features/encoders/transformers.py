"""CLIP and SigLIP from a folder in the Hugging Face form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError
from cmh_features._pixels import PixelRule
from cmh_features._weights import require_file, sha256_of
from cmh_features.encoders._torch import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_KINDS = ("clip", "siglip")
_WHERE = (
    "for example a download of huggingface.co/openai/clip-vit-base-patch32 or google/siglip-base-patch16-224"
)


class TransformersEncoder(Encoder):
    """Images and texts in the space of a CLIP or SigLIP model, every feature of length 1.

    Args:
        request: `transformers:FOLDER`, device and precision. The folder holds `config.json`,
            `preprocessor_config.json`, `model.safetensors` and the tokenizer's files.
    """

    modalities = ("image", "text")

    def __init__(self, request: EncoderRequest) -> None:
        folder = Path(request.argument)
        for part in (
            request.argument,
            *(folder / name for name in ("config.json", "preprocessor_config.json")),
        ):
            require_file(
                str(part),
                encoder="transformers",
                what=f"{getattr(part, 'name', '') or 'a folder with a CLIP or SigLIP model'}",
                where=_WHERE,
            )
        config = _read_json(folder / "config.json")
        self._kind = config.get("model_type")
        if self._kind not in _KINDS:
            raise EncoderUnavailableError(
                f"{folder} must hold a model of the type {' or '.join(_KINDS)}, but it is {self._kind}; "
                f"{_WHERE}"
            )
        weights = sorted(folder.glob("model*.safetensors"))
        if not weights:
            raise EncoderUnavailableError(f"transformers needs model.safetensors in {folder}; {_WHERE}")
        try:
            module = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{folder} does not hold a whole {self._kind} model ({reason}); {_WHERE}"
            ) from error
        self.prepare_image = _pixel_rule(_read_json(folder / "preprocessor_config.json"))  # type: ignore[method-assign]
        self.image_size = self.prepare_image.size
        self._longest = module.config.text_config.max_position_embeddings
        self._network = Network(module, request)
        self.width = self.embed_texts(["a"]).shape[1]
        self.identity = Identity(
            name=request.name,
            version=f"{self._kind}, {folder.name}",
            digest=sha256_of(*weights),
            preprocessing=f"{self.prepare_image}; its own tokenizer, {self._longest} at most",
            precision=self._network.precision,
        )

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32 of length 1."""
        encode: Any = self._network.module.get_image_features
        return self._network.run(lambda: _unit(encode(pixel_values=self._network.to_input(batch))))

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32 of length 1."""
        encode: Any = self._network.module.get_text_features
        tokens = self._tokenizer(
            list(batch),
            padding="max_length" if self._kind == "siglip" else True,  # SigLIP was trained on full lengths
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        ).to(self._network.device)
        given = {"input_ids": tokens["input_ids"]}
        if self._kind == "clip":
            given["attention_mask"] = tokens["attention_mask"]
        return self._network.run(lambda: _unit(encode(**given)))


def build(request: EncoderRequest) -> TransformersEncoder:
    """Make the encoder that was asked for."""
    return TransformersEncoder(request)


def _unit(features: Any) -> torch.Tensor:
    """Scale rows to length 1; newer versions of transformers wrap the features."""
    rows = features if isinstance(features, torch.Tensor) else features.pooler_output
    return functional.normalize(rows.float(), dim=1)


def _pixel_rule(config: dict[str, Any]) -> PixelRule:
    size, crop = config.get("size", 224), config.get("crop_size")
    if isinstance(size, int):
        size = {"shortest_edge": size} if config.get("do_center_crop", True) else {"height": size}
    mean, deviation = tuple(config["image_mean"]), tuple(config["image_std"])
    if "shortest_edge" in size:
        side = crop["height"] if isinstance(crop, dict) else crop or size["shortest_edge"]
        return PixelRule(side, mean=mean, deviation=deviation, short_side=size["shortest_edge"])
    return PixelRule(size["height"], mean=mean, deviation=deviation)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON, but it does not ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, but it holds a {type(content).__name__}")  # noqa: TRY004 - bad input is a ValueError everywhere in this project
    return content
