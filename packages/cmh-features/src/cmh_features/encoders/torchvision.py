"""AlexNet and VGG up to fc7, ResNet up to its pooling, with the user's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torchvision import models  # type: ignore[import-untyped]

from cmh_features._encoder import Encoder, Identity
from cmh_features._errors import EncoderUnavailableError
from cmh_features._pixels import PixelRule
from cmh_features._weights import require_file, sha256_of
from cmh_features.encoders._torch import Network, load_state, read_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_FAMILIES = ("alexnet", "vgg", "resnet", "resnext", "wide_resnet")


class TorchvisionEncoder(Encoder):
    """A network of torchvision without its last, classifying layer.

    AlexNet and VGG give 4,096 numbers behind the ReLU of fc7, ResNet 512 or 2,048 behind its pooling.

    Args:
        request: `torchvision:NAME:PATH`, device and precision.
    """

    modalities = ("image",)
    image_size = 224

    def __init__(self, request: EncoderRequest) -> None:
        name, _, file = request.argument.partition(":")
        known = [one for one in models.list_models(module=models) if one.startswith(_FAMILIES)]
        if name not in known:
            raise EncoderUnavailableError(
                f"{request.name} names no network that is known here; "
                f"the form is torchvision:NAME:PATH, NAME one of {', '.join(known)}"
            )
        url = models.get_model_weights(name).DEFAULT.url
        path = require_file(
            file,
            encoder=f"torchvision:{name}",
            what="a file of weights as torchvision gives them, torchvision:NAME:PATH",
            where=f"for example {url}",
        )
        module = models.get_model(name, weights=None)
        state = read_state(path, encoder=request.name)
        if hasattr(module, "fc"):
            self.width = module.fc.in_features
            module.fc = nn.Identity()
            state = {key: value for key, value in state.items() if not key.startswith("fc.")}
        else:
            last = len(module.classifier) - 1
            self.width = module.classifier[last].in_features
            module.classifier = module.classifier[:last]
            state = {key: value for key, value in state.items() if not key.startswith(f"classifier.{last}.")}
        load_state(module, state, path=path, encoder=f"torchvision:{name}")
        self.prepare_image = PixelRule(224, short_side=256)  # type: ignore[method-assign]
        self._network = Network(module, request)
        self.identity = Identity(
            name=request.name,
            version=f"torchvision {name}, {path.name}",
            digest=sha256_of(path),
            preprocessing=str(self.prepare_image),
            precision=self._network.precision,
        )

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, width)` float32."""

        def run() -> torch.Tensor:
            features: torch.Tensor = self._network.module(self._network.to_input(batch))
            return features

        return self._network.run(run)


def build(request: EncoderRequest) -> TorchvisionEncoder:
    """Make the encoder that was asked for."""
    return TorchvisionEncoder(request)
