"""Any image network in an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from PIL import Image

from cmh_features._encoder import Encoder, Identity
from cmh_features._pixels import PixelRule
from cmh_features._weights import require_file, sha256_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_SIZE = 224  # where the file leaves it open


class OnnxEncoder(Encoder):
    """The first output of an ONNX network for one image, averaged over places if it has places.

    The input is `(n, 3, side, side)` or `(n, side, side, 3)`: float, ImageNet mean and deviation, or uint8,
    plain pixels. The file's own metadata may say otherwise: `mean` and `deviation` (three numbers from 0 to
    1, joined by commas), and `short_side` (cut the middle out instead of squeezing the whole image).

    Args:
        request: `onnx:PATH` and device.
    """

    modalities = ("image",)

    def __init__(self, request: EncoderRequest) -> None:
        path = require_file(
            request.argument,
            encoder="onnx",
            what="an ONNX file, onnx:PATH",
            where="export yours with torch.onnx.export",
        )
        if request.precision not in {"auto", "float32"}:
            raise ValueError(
                f"{request.name} computes as the file says, but precision is {request.precision}"
            )
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=_providers(request))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{path} must be an ONNX network, but it cannot be loaded ({reason})") from error
        first = self._session.get_inputs()[0]
        if first.type not in _TYPES or len(first.shape) != 4 or len(self._session.get_inputs()) != 1:
            raise ValueError(
                f"{path} must take one batch of images (n, 3, side, side) or (n, side, side, 3) of type "
                f"float, float16 or uint8, but it takes {first.shape} of type {first.type}"
            )
        self._input, self._dtype = first.name, _TYPES[first.type]
        self._channels_last = first.shape[3] == 3 and first.shape[1] != 3
        if isinstance(first.shape[0], int):
            self.batch_size = first.shape[0]
        side = first.shape[1 if self._channels_last else 2]
        self.image_size = side if isinstance(side, int) else _SIZE
        self._rule = self._pixel_rule()
        self.width = self.embed_images(self.prepare_image(Image.new("RGB", (8, 8)))[None]).shape[1]
        self.identity = Identity(
            name=request.name,
            version=path.name,
            digest=sha256_of(path),
            preprocessing=f"{self._rule}{', 0 to 255' if self._dtype == np.uint8 else ''}",
            precision="as the file says",
        )

    def prepare_image(self, image: Image.Image) -> NDArray[Any]:
        """Return one image in the order and type that the file takes."""
        pixels = self._rule(image)
        if self._dtype == np.uint8:
            pixels = np.rint(pixels * 255)
        if self._channels_last:
            pixels = pixels.transpose(1, 2, 0)
        return np.ascontiguousarray(pixels, self._dtype)

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32."""
        n, size = len(batch), self.batch_size
        fixed = isinstance(self._session.get_inputs()[0].shape[0], int)
        if fixed and n < size:  # a file for batches of one size: fill up
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - n, axis=0)])
        features = np.asarray(self._session.run(None, {self._input: batch})[0], np.float32)[:n]
        if features.ndim == 4:
            features = features.mean((1, 2) if self._channels_last else (2, 3))
        rows: NDArray[np.float32] = features.reshape(n, -1)
        return rows

    def _pixel_rule(self) -> PixelRule:
        assert self.image_size is not None
        said = self._session.get_modelmeta().custom_metadata_map
        plain = self._dtype == np.uint8
        mean = _three(said.get("mean")) or ((0.0, 0.0, 0.0) if plain else PixelRule.mean)
        deviation = _three(said.get("deviation")) or ((1.0, 1.0, 1.0) if plain else PixelRule.deviation)
        short_side = int(said["short_side"]) if "short_side" in said else None
        return PixelRule(self.image_size, mean=mean, deviation=deviation, short_side=short_side)


def build(request: EncoderRequest) -> OnnxEncoder:
    """Make the encoder that was asked for."""
    return OnnxEncoder(request)


def _providers(request: EncoderRequest) -> list[str]:
    """Return the GPU where it is wanted and there is one, then the CPU."""
    gpu = "CUDAExecutionProvider"
    wanted = request.device != "cpu" and gpu in onnxruntime.get_available_providers()
    return [gpu, "CPUExecutionProvider"] if wanted else ["CPUExecutionProvider"]


def _three(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    red, green, blue = map(float, text.split(","))
    return red, green, blue
