"""From pixels to AlexNet's features: crops and the backbone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from pathlib import Path

RESIZED = 256  # shorter side in pixels
CROP = 224
FEATURE_WIDTH = 4096
# Of ImageNet, for pixels in 0..1.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


def training_crops(image: torch.Tensor) -> torch.Tensor:
    """Flip half of the images, resize and cut a random square out of each.

    Args:
        image: `(batch, 3, height, width)`, pixels in 0..255.

    Returns:
        `(batch, 3, 224, 224)`, normalised as ImageNet's.
    """
    device, n_image = image.device, len(image)
    flipped = torch.rand(n_image, device=device) < 0.5
    image = torch.where(flipped[:, None, None, None], image.flip(3), image)
    image = _resize(image)
    corners = torch.rand(2, n_image, device=device)  # one draw for each image and axis
    top, left = (
        (corner * (side - CROP + 1)).long() for corner, side in zip(corners, image.shape[2:], strict=True)
    )  # (batch,) each
    place = torch.arange(CROP, device=device)
    rows = (top[:, None] + place)[:, None, :, None]  # (batch, 1, 224, 1)
    columns = (left[:, None] + place)[:, None, None, :]  # (batch, 1, 1, 224)
    samples = torch.arange(n_image, device=device)[:, None, None, None]
    channels = torch.arange(3, device=device)[None, :, None, None]
    return _normalise(image[samples, channels, rows, columns])


def centre_crops(image: torch.Tensor) -> torch.Tensor:
    """Resize and cut out the middle.

    Args:
        image: `(batch, 3, height, width)`, pixels in 0..255.

    Returns:
        `(batch, 3, 224, 224)`, normalised as ImageNet's.
    """
    image = _resize(image)
    top, left = (round((side - CROP) / 2) for side in image.shape[2:])
    return _normalise(image[:, :, top : top + CROP, left : left + CROP])


def _resize(image: torch.Tensor) -> torch.Tensor:
    """Make the shorter side 256, whole numbers as PIL gives them."""
    height, width = image.shape[2:]
    shorter = min(height, width)
    size = (RESIZED * height // shorter, RESIZED * width // shorter)
    return interpolate(image, size, mode="bilinear", antialias=True).round().clamp(0, 255)


def _normalise(image: torch.Tensor) -> torch.Tensor:
    # Filled on the device; numbers copied from main memory would make it wait.
    mean, std = (
        torch.stack([image.new_full((), value) for value in values])[:, None, None]
        for values in (_MEAN, _STD)
    )
    return (image / 255 - mean) / std


def read_alexnet(path: Path, *, dropout: float) -> torch.nn.Module:
    """Make AlexNet up to the ReLU of fc7, with weights from a file of torchvision's.

    Args:
        path: a state dict, for example `alexnet-owt-7be5be79.pth`.
        dropout: probability in training mode, before fc6 and fc7.

    Returns:
        A network from `(batch, 3, 224, 224)` crops to `(batch, 4096)` features.

    Raises:
        ImportError: torchvision is not installed.
        ValueError: the file is missing or holds other weights.
    """
    try:
        models = import_module("torchvision.models")  # only needed for pixels: an extra
    except ImportError as error:
        message = "AlexNet needs torchvision; install it with: pip install 'cmh-jdsh[pixels]'"
        raise ImportError(message) from error
    if not path.is_file():
        raise ValueError(
            f"alexnet_weights names {path}, but there is no such file; "
            "give the path of torchvision's alexnet-owt-7be5be79.pth"
        )
    with torch.device("meta"):  # no random weights that the file replaces at once
        network = models.alexnet(weights=None, dropout=dropout)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: weight.float().contiguous() for name, weight in weights.items()}
        network.load_state_dict(weights, assign=True)
    except Exception as error:
        raise ValueError(
            f"{path} holds no AlexNet weights as torchvision stores them; "
            "give a file such as alexnet-owt-7be5be79.pth"
        ) from error
    head = list(network.classifier)[:6]  # without the ImageNet classifier
    return torch.nn.Sequential(network.features, network.avgpool, torch.nn.Flatten(), *head)
