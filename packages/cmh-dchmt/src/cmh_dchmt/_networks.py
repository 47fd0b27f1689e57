"""The hash layers of DCHMT: for each bit a choice between two."""

from __future__ import annotations

import math

import torch
from cmh_train import FastLinear, fast_linear


class SelectingHash(torch.nn.Module):
    """A linear layer with ReLU, then for each bit an own linear layer to two numbers and their softmax.

    Weights are drawn by Kaiming's uniform rule of the outputs, each bit's by itself; biases are 0.

    Args:
        input_width: width of the features.
        hidden_width: width after the first layer.
        bits: code length.

    Example:
        >>> SelectingHash(5, 7, 8)(torch.ones(2, 5)).shape
        torch.Size([2, 16])

    Source: Tu et al., MM 2022, section 3.3, "selecting mechanism".
    """

    def __init__(self, input_width: int, hidden_width: int, bits: int) -> None:
        super().__init__()
        self.hidden = FastLinear(input_width, hidden_width)
        torch.nn.init.kaiming_uniform_(self.hidden.weight, mode="fan_out")
        torch.nn.init.zeros_(self.hidden.bias)
        bound = math.sqrt(6 / 2)  # a bit's layer has two outputs
        self.choice_weight = torch.nn.Parameter(torch.empty(bits, 2, hidden_width).uniform_(-bound, bound))
        self.choice_bias = torch.nn.Parameter(torch.zeros(bits, 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Choose for every bit.

        Args:
            features: `(n, input_width)` floating point.

        Returns:
            `(n, 2 * bits)` floating point, for each bit how much it is 0 and how much it is 1; the two add up
            to 1.
        """
        hidden = torch.relu(self.hidden(features))
        scores = fast_linear(hidden, self.choice_weight.flatten(0, 1), self.choice_bias.flatten())
        return torch.softmax(scores.reshape(len(scores), *self.choice_bias.shape), dim=2).flatten(1)
