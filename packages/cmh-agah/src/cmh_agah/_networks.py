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


class Critic(torch.nn.Module):
    """Scores features: large where they look like those of the critic's own modality.

    Args:
        width: width of the features.
        hidden: widths of the two hidden layers.
    """

    def __init__(self, width: int, hidden: tuple[int, int]) -> None:
        super().__init__()
        self.first = torch.nn.Linear(width, hidden[0])
        self.second = torch.nn.Linear(hidden[0], hidden[1])
        self.last = torch.nn.Linear(hidden[1], 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map `(batch, width)` features to `(batch, 1)` scores."""
        hidden = torch.relu(self.second(torch.relu(self.first(features))))
        score: torch.Tensor = self.last(hidden)
        return score

    def input_gradient(self, features: torch.Tensor) -> torch.Tensor:
        """Gradient of the score in the features, itself differentiable in the weights.

        A ReLU's slope is 0 or 1 and has no derivative, so the gradient is a product of masked weight
        matrices: no second backward pass through autograd is needed.

        Args:
            features: `(batch, width)`.

        Returns:
            `(batch, width)`.
        """
        with torch.no_grad():
            first = torch.relu(self.first(features))
            second = torch.relu(self.second(first))
            # Signs of ReLU outputs are 0 and 1: much faster than comparing, which gives bool.
            first_slope, second_slope = first.sign(), second.sign()
        slope = self.last.weight * second_slope  # (batch, hidden[1])
        slope = (slope @ self.second.weight) * first_slope  # (batch, hidden[0])
        gradient: torch.Tensor = slope @ self.first.weight  # (batch, width)
        return gradient
