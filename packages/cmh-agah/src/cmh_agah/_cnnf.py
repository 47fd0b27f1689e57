"""CNN-F, the image network that AGAH fine-tunes, with weights from the user's `imagenet-vgg-f.mat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PixelAxes = Literal["height-width", "width-height"]

IMAGE_SIZE = 224
_N_LAYER = 7  # five convolutions, fc6 and fc7; fc8, the ImageNet classifier, is left out
_STRIDES = (4, 1, 1, 1, 1, 1, 1)
_PADDINGS = (0, 2, 1, 1, 1, 0, 0)


def read_cnnf_weights(path: Path, pixel_axes: PixelAxes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Read the kernels and biases of CNN-F up to fc7 from a MatConvNet file.

    Two layouts of the file are in circulation: newer ones keep `weights = {kernels, biases}` in each layer,
    older ones keep `filters` and `biases`.

    Args:
        path: `imagenet-vgg-f.mat`.
        pixel_axes: axis order of the images that will be fed. MATLAB stores kernels as (height, width, in,
            out); they become (out, in, height, width) or, as in the authors' program, (out, in, width,
            height).

    Returns:
        Seven pairs of float32 kernels `(out, in, side, side)` and biases `(out,)`.

    Raises:
        ValueError: the file is missing or holds no such layers.

    Source: Chatfield et al., BMVC 2014, network "CNN-F".
    """
    from cmh_files import read_mat5  # noqa: PLC0415 - brings h5py along, which only training from pixels needs

    if not path.is_file():
        raise ValueError(
            f"cnnf_weights names {path}, but there is no such file; give the path of imagenet-vgg-f.mat"
        )
    try:
        layers = read_mat5(path, names=["layers"])["layers"]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is no CNN-F file: it holds no MATLAB cell array 'layers'; "
            "give the path of imagenet-vgg-f.mat"
        ) from error
    cells = layers if isinstance(layers, list) else []
    pairs = [pair for cell in cells if (pair := _kernels_and_biases(cell)) is not None][:_N_LAYER]
    if len(pairs) < _N_LAYER or any(kernel.ndim != 4 for kernel, _ in pairs):
        raise ValueError(
            f"{path} is no CNN-F file: expected {_N_LAYER} layers with "
            f"four-dimensional kernels, found {len(pairs)}"
        )
    order = (3, 2, 0, 1) if pixel_axes == "height-width" else (3, 2, 1, 0)
    return [
        (
            torch.from_numpy(np.ascontiguousarray(kernel.transpose(order), dtype=np.float32)),
            torch.from_numpy(np.ascontiguousarray(bias.ravel(), dtype=np.float32)),
        )
        for kernel, bias in pairs
    ]


def _kernels_and_biases(layer: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Kernels and biases of one layer of the file, or None where the layer has none."""
    fields = layer if isinstance(layer, dict) else {}
    weights = fields.get("weights") or [fields.get("filters"), fields.get("biases")]
    kernels_and_biases = [part for part in weights[:2] if isinstance(part, np.ndarray)]
    return (kernels_and_biases[0], kernels_and_biases[1]) if len(kernels_and_biases) == 2 else None


class CNNF(torch.nn.Module):
    """CNN-F up to fc7. Images are raw pixels in 0..255: AGAH's program subtracts no mean.

    Args:
        weights: seven pairs of kernels and biases, as `read_cnnf_weights` gives them; they fix all widths.
    """

    def __init__(self, weights: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for (kernel, bias), stride, padding in zip(weights, _STRIDES, _PADDINGS, strict=True):
            n_out, n_in, side = kernel.shape[:3]
            layer = torch.nn.Conv2d(n_in, n_out, side, stride=stride, padding=padding)
            with torch.no_grad():
                layer.weight.copy_(kernel)
                layer.bias.copy_(bias)  # type: ignore[union-attr]
            self.layers.append(layer)
        self.width = int(weights[-1][0].shape[0])
        self.contrast = torch.nn.LocalResponseNorm(2, alpha=1e-4, beta=0.75, k=2.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map `(batch, 3, 224, 224)` pixels to `(batch, 4096)` features after the ReLU of fc7."""
        pool = torch.nn.functional.max_pool2d
        hidden = self.contrast(torch.relu(self.layers[0](image)))  # (batch, 64, 54, 54)
        hidden = pool(
            torch.nn.functional.pad(hidden, (0, 1, 0, 1)), 3, stride=2, padding=1
        )  # (batch, 64, 28, 28)
        hidden = self.contrast(torch.relu(self.layers[1](hidden)))  # (batch, 256, 28, 28)
        hidden = pool(hidden, 3, stride=2)  # (batch, 256, 13, 13)
        for layer in self.layers[2:5]:
            hidden = torch.relu(layer(hidden))
        hidden = pool(hidden, 3, stride=2)  # (batch, 256, 6, 6)
        for layer in self.layers[5:]:
            hidden = torch.relu(layer(hidden))
        return hidden.flatten(1)
