"""The networks of AGAH: trunks from inputs to common features, heads to codes and classes, discriminators."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from cmh_train import FastLinear

if TYPE_CHECKING:
    from collections.abc import Sequence


def relu_layers(widths: Sequence[int]) -> torch.nn.Sequential:
    """Make linear layers with a ReLU after each.

    Args:
        widths: of the input, then of every layer.

    Returns:
        A network from `(batch, widths[0])` to `(batch, widths[-1])`.
    """
    layers: list[torch.nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [FastLinear(narrow, wide), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def discriminator_layers(width: int, hidden: Sequence[int]) -> torch.nn.Sequential:
    """Make a network that scores features: high where they look like those of its own modality.

    Args:
        width: width of the features.
        hidden: widths of the hidden layers.

    Returns:
        A network from `(batch, width)` to `(batch, 1)`, a ReLU after every layer but the last.
    """
    return torch.nn.Sequential(*relu_layers((width, *hidden)), FastLinear(hidden[-1], 1))
