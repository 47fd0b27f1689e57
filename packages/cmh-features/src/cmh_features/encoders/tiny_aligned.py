"""Images and texts in one space: two linear layers on EfficientNet-Lite0 and MiniLM. It is no CLIP."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from cmh_features._encoder import Encoder, Identity
from cmh_features._weights import sha256_of
from cmh_features.encoders.efficientnet import EfficientNetLite
from cmh_features.encoders.minilm import MiniLM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_HEADS = Path(__file__).parent.parent / "tiny_aligned" / "heads.safetensors"


class TinyAligned(Encoder):
    """Two linear layers, learned from 3,600 pieces of clip art and 1,576 emoji, that let a text find images.

    It knows drawings and what their makers called them, some thousand words in all. It has seen no photograph
    with its caption. How it was made and what it reaches stands in `tiny_aligned/PROVENANCE.md`.

    Args:
        request: name, device and precision of the two networks.
    """

    modalities = ("image", "text")

    def __init__(self, request: EncoderRequest) -> None:
        self._image = EfficientNetLite(replace(request, name="efficientnet-lite0"))
        self._text = MiniLM(replace(request, name="minilm"))
        with safe_open(_HEADS, framework="np") as file:
            self._heads = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
            self._image_length = float(file.metadata()["image_length"])
        self.width = len(self._heads["image.bias"])
        self.image_size = self._image.image_size
        self.prepare_image = self._image.prepare_image  # type: ignore[method-assign]
        self.prepare_text = self._text.prepare_text  # type: ignore[method-assign]
        digests = (sha256_of(_HEADS), self._image.identity.digest, self._text.identity.digest)
        self.identity = Identity(
            name=request.name,
            version=f"cmh-features {version('cmh-features')}",
            digest=hashlib.sha256("".join(digests).encode()).hexdigest(),
            preprocessing=f"{self._image.identity.preprocessing}; {self._text.identity.preprocessing}",
            precision=self._image.identity.precision,
        )

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, 128)` float32 of length 1."""
        return self._project("image", self._image_length * _unit(self._image.embed_images(batch)))

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return `(n, 128)` float32 of length 1."""
        return self._project("text", self._text.embed_texts(batch))

    def _project(self, side: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return _unit(features @ self._heads[f"{side}.weight"].T + self._heads[f"{side}.bias"])


def build(request: EncoderRequest) -> TinyAligned:
    """Make the encoder that was asked for."""
    return TinyAligned(request)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled
