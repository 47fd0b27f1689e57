"""AlexNet before the image network of JDSH, where images are pixels."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from cmh_jdsh._pixels import read_alexnet

if TYPE_CHECKING:
    import torch
    from cmh_train import DataSpec

    from cmh_jdsh._config import JDSHConfig

_DROPOUT = 0.5  # AlexNet's own


def backbones(
    config: JDSHConfig, data_spec: DataSpec
) -> tuple[torch.nn.Module | None, torch.nn.Module | None]:
    """Make the network before the image network and, where that is fine-tuned, a frozen copy for the targets.

    Args:
        config: the options.
        data_spec: shapes of the data.

    Returns:
        Both networks, from `(batch, 3, 224, 224)` to `(batch, 4096)`; None where there is none.

    Raises:
        ValueError: if images are pixels and AlexNet's weights are missing, or an option does not fit pixels.
    """
    if len(data_spec.image_shape) == 1:
        return None, None
    if len(data_spec.image_shape) != 3 or data_spec.image_shape[0] != 3:
        raise ValueError(
            "JDSH takes features or pixels of shape (3, height, width), "
            f"but images have {data_spec.image_shape}; put the three colours first"
        )
    if config.alexnet_weights is None:
        raise ValueError(
            "JDSH from pixels starts with AlexNet; give alexnet_weights, the path of torchvision's file"
        )
    if config.standardise != "none":
        raise ValueError(
            "standardise is for features; pixels are scaled as AlexNet expects them, so leave it off"
        )
    backbone = read_alexnet(config.alexnet_weights, dropout=_DROPOUT if config.dropout_backbone else 0.0)
    if config.variant == "umml2022":
        return backbone.requires_grad_(False), None
    return backbone, deepcopy(backbone).requires_grad_(False).eval()
