"""The networks of AGAH: trunks from inputs to common features, heads to codes and classes, critics."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def relu_layers(widths: Sequence[int]) -> torch.nn.Sequential:
    """Linear layers of the given widths, first the input's, with a ReLU after each."""
    layers: list[torch.nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [torch.nn.Linear(narrow, wide), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def critic_layers(width: int, hidden: Sequence[int]) -> torch.nn.Sequential:
    """Layers that score features: large where they look like those of the critic's own modality.

    Args:
        width: width of the features.
        hidden: widths of the hidden layers.
    """
    return torch.nn.Sequential(*relu_layers((width, *hidden)), torch.nn.Linear(hidden[-1], 1))
