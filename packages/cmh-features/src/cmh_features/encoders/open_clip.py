"""CLIP models of open-clip-torch, with the user's weights."""

from __future__ import annotations

import logging
import warnings
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import open_clip  # type: ignore[import-untyped]
import torch

from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError
from cmh_features._pixels import PixelRule
from cmh_features._weights import require_file, sha256_of
from cmh_features.encoders._torch import Network, load_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest


class OpenClipEncoder(Encoder):
    """Images and texts in the space of a CLIP model, every feature of length 1.

    Args:
        request: `open_clip:NAME:PATH`, device and precision. PATH is a file of open_clip, `.safetensors` or
            `.pt`, or one of OpenAI's archives, which are computed with OpenAI's quick GELU.
    """

    modalities = ("image", "text")

    def __init__(self, request: EncoderRequest) -> None:
        name, _, file = request.argument.partition(":")
        config = open_clip.get_model_config(name) if name else None
        if config is None:
            raise EncoderUnavailableError(
                f"{request.name} names no model of open-clip-torch; the form is open_clip:NAME:PATH, "
                f"NAME one of {', '.join(open_clip.list_models()[:6])} and so on, see open_clip.list_models()"
            )
        if "hf_tokenizer_name" in config["text_cfg"] or "hf_model_name" in config["text_cfg"]:
            raise EncoderUnavailableError(
                f"open_clip:{name} has a tokenizer that open-clip-torch does not bring; "
                "use transformers:FOLDER with the same model in the Hugging Face form"
            )
        path = require_file(
            file,
            encoder=f"open_clip:{name}",
            what="a file of weights, open_clip:NAME:PATH",
            where=_source(name),
        )
        module = _load(name, path, encoder=request.name)
        shape = open_clip.get_model_preprocess_cfg(module)
        size = shape["size"]
        self.image_size = size[0] if isinstance(size, (tuple, list)) else size
        assert self.image_size is not None
        whole = shape.get("resize_mode", "shortest") == "squash"
        self.prepare_image = PixelRule(  # type: ignore[method-assign]
            self.image_size,
            mean=tuple(shape["mean"]),
            deviation=tuple(shape["std"]),
            short_side=None if whole else self.image_size,
        )
        self._tokenizer = open_clip.get_tokenizer(name)
        self.width = config["embed_dim"]
        self._network = Network(module, request)
        self.identity = Identity(
            name=request.name,
            version=f"open_clip {name}, {path.name}",
            digest=sha256_of(path),
            preprocessing=f"{self.prepare_image}; byte pairs, {self._tokenizer.context_length} at most",
            precision=self._network.precision,
        )

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32 of length 1."""
        encode: Any = self._network.module.encode_image
        return self._network.run(lambda: encode(self._network.to_input(batch), normalize=True))

    def embed_texts(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32 of length 1."""
        encode: Any = self._network.module.encode_text
        tokens = self._tokenizer(list(batch)).to(self._network.device)
        return self._network.run(lambda: encode(tokens, normalize=True))


def build(request: EncoderRequest) -> OpenClipEncoder:
    """Make the encoder that was asked for."""
    return OpenClipEncoder(request)


def _load(name: str, path: Path, *, encoder: str) -> torch.nn.Module:
    """Build the model with its weights; nothing in the file is executed."""
    if not _is_torchscript(path):
        try:
            whole: torch.nn.Module = open_clip.create_model(name, pretrained=str(path), weights_only=True)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path} does not hold the weights of {encoder} ({reason})") from error
        return whole
    with _without_a_false_warning():
        module: torch.nn.Module = open_clip.create_model(name, force_quick_gelu=True)
    state = _read_torchscript(path)
    load_state(module, state, path=path, encoder=encoder)
    return module


def _is_torchscript(path: Path) -> bool:
    """Say whether a file is an archive as OpenAI gives its weights away."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of an archive; its program is read, but never called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch calls these archives deprecated
        archive: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    described = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI keeps as tensors
    return {name: tensor for name, tensor in archive.state_dict().items() if name not in described}


@contextmanager
def _without_a_false_warning() -> Iterator[None]:
    """Keep open_clip from saying that a model has random weights, which it gets a moment later."""

    def keep(record: logging.LogRecord) -> bool:
        return "No pretrained weights loaded" not in str(record.msg)

    logger = logging.getLogger()
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _source(name: str) -> str:
    """Say where weights of this model are."""
    for tag in open_clip.list_pretrained_tags_by_model(name):
        found = open_clip.pretrained.get_pretrained_cfg(name, tag)
        if found.get("hf_hub"):
            return f"for example huggingface.co/{found['hf_hub'].strip('/')}"
        if found.get("url"):
            return f"for example {found['url']}"
    return "save yours with torch.save(model.state_dict(), PATH)"
