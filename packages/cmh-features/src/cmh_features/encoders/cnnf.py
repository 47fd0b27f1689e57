"""CNN-F, the image network of DCMH and of many that followed, from the user's `imagenet-vgg-f.mat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from scipy.io import loadmat
from torch import nn
from torch.nn import functional

from cmh_features._encoder import Encoder, Identity
from cmh_features._weights import require_file, sha256_of
from cmh_features.encoders._torch import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_features._registry import EncoderRequest

_SIZE = 224
_N_LAYER = 7  # five convolutions, fc6 and fc7; fc8, the ImageNet classifier, is left out
_STRIDES = (4, 1, 1, 1, 1, 1, 1)
_PADDINGS = (0, 2, 1, 1, 1, 0, 0)
_WHERE = "download imagenet-vgg-f.mat from vlfeat.org/matconvnet/pretrained"


def read_cnnf(path: Path) -> tuple[list[tuple[NDArray[Any], NDArray[Any]]], NDArray[np.float32] | None]:
    """Read kernels, biases and the mean image of CNN-F from a MatConvNet file.

    Two layouts are in circulation: newer files keep `weights = {kernels, biases}` in each layer and the mean
    in `meta.normalization`, older ones keep `filters` and `biases`, and the mean in `normalization`.

    Args:
        path: `imagenet-vgg-f.mat`.

    Returns:
        Seven pairs of kernels `(height, width, in, out)` and biases `(out,)`, and the mean image
        `(224, 224, 3)` or `(1, 1, 3)`, None if the file has none.

    Raises:
        ValueError: if the file holds no such layers.

    Source: Chatfield et al., BMVC 2014, network "CNN-F".
    """
    try:
        content = loadmat(str(path), variable_names=["layers", "meta", "normalization"])
        layers = content["layers"]
    except Exception as error:
        raise ValueError(
            f"{path} is no CNN-F file: it holds no MATLAB cell array 'layers'; {_WHERE}"
        ) from error
    pairs = [pair for cell in layers.ravel() if (pair := _kernels_and_biases(cell)) is not None][:_N_LAYER]
    if len(pairs) < _N_LAYER or any(kernel.ndim != 4 for kernel, _ in pairs):
        raise ValueError(
            f"{path} is no CNN-F file: expected {_N_LAYER} layers with four-dimensional kernels, "
            f"found {len(pairs)}; {_WHERE}"
        )
    return pairs, _mean_image(content)


def _kernels_and_biases(cell: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return what one layer of the file learned, or None where it learned nothing."""
    layer = cell[0, 0]  # SciPy gives a struct as a 1 x 1 array of records
    names = layer.dtype.names or ()
    if "weights" in names and layer["weights"].size:
        weights = layer["weights"].ravel()
        return weights[0], weights[1].ravel()
    if "filters" in names:
        return layer["filters"], layer["biases"].ravel()
    return None


def _mean_image(content: dict[str, Any]) -> NDArray[np.float32] | None:
    found = content.get("normalization")
    if found is None and "meta" in content and "normalization" in (content["meta"].dtype.names or ()):
        found = content["meta"]["normalization"][0, 0]
    if found is None or "averageImage" not in (found.dtype.names or ()):
        return None
    mean = np.asarray(found["averageImage"][0, 0], np.float32)
    return mean.reshape(1, 1, 3) if mean.size == 3 else mean


class CNNF(nn.Module):
    """CNN-F up to fc7.

    Args:
        pairs: kernels `(height, width, in, out)` and biases `(out,)` of seven layers; they fix all widths.
    """

    def __init__(self, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for (kernel, bias), stride, padding in zip(pairs, _STRIDES, _PADDINGS, strict=True):
            side, _, n_in, n_out = kernel.shape
            layer = nn.Conv2d(n_in, n_out, side, stride=stride, padding=padding)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))))
                layer.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))  # type: ignore[union-attr]
            self.layers.append(layer)
        self.contrast = nn.LocalResponseNorm(2, alpha=1e-4, beta=0.75, k=2.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map `(n, 3, 224, 224)` pixels, 0 to 255 less the mean, to `(n, 4096)` features."""
        hidden = self.contrast(torch.relu(self.layers[0](image)))  # (n, 64, 54, 54)
        hidden = functional.pad(hidden, (0, 1, 0, 1))
        hidden = functional.max_pool2d(hidden, 3, stride=2, padding=1)  # (n, 64, 28, 28)
        hidden = self.contrast(torch.relu(self.layers[1](hidden)))  # (n, 256, 28, 28)
        hidden = functional.max_pool2d(hidden, 3, stride=2)  # (n, 256, 13, 13)
        for layer in self.layers[2:5]:
            hidden = torch.relu(layer(hidden))
        hidden = functional.max_pool2d(hidden, 3, stride=2)  # (n, 256, 6, 6)
        for layer in self.layers[5:]:
            hidden = torch.relu(layer(hidden))
        return hidden.flatten(1)


class CNNFEncoder(Encoder):
    """Features behind fc7 of CNN-F: the whole image squeezed to 224 x 224, less the file's mean image.

    Args:
        request: name, path, device and precision.
    """

    modalities = ("image",)
    image_size = _SIZE

    def __init__(self, request: EncoderRequest) -> None:
        path = require_file(
            request.argument, encoder="cnnf", what="the file imagenet-vgg-f.mat", where=_WHERE
        )
        pairs, mean = read_cnnf(path)
        if mean is not None and mean.shape not in {(1, 1, 3), (_SIZE, _SIZE, 3)}:
            raise ValueError(
                f"{path} is no CNN-F file: its mean image has the shape {mean.shape}, not (224, 224, 3)"
            )
        self._mean = mean
        self.width = len(pairs[-1][1])
        self._network = Network(CNNF(pairs), request)
        self.identity = Identity(
            name=request.name,
            version=path.name,
            digest=sha256_of(path),
            preprocessing=(
                "whole image to 224 x 224 (bicubic), 0 to 255, "
                + ("no mean: the file has none" if mean is None else "less the file's mean image")
            ),
            precision=self._network.precision,
        )

    def prepare_image(self, image: Image.Image) -> NDArray[np.float32]:
        """Return `(3, 224, 224)` float32."""
        square = image.resize((_SIZE, _SIZE), Image.Resampling.BICUBIC, reducing_gap=3.0)
        pixels = np.asarray(square, np.float32)  # (224, 224, 3)
        if self._mean is not None:
            pixels = pixels - self._mean
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def embed_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return `(n, 4096)` float32."""
        return self._network.run(lambda: self._network.module(self._network.to_input(batch)))


def build(request: EncoderRequest) -> CNNFEncoder:
    """Make the encoder that was asked for."""
    return CNNFEncoder(request)
