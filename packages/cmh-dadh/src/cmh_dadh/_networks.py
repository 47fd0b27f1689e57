"""The networks of DADH."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from cmh_dadh._streamed import StreamedLinear

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODE_CRITIC_WIDTH = 512


class FeatureNet(nn.Module):
    """Linear, batch norm, ReLU, and dropout if asked for, layer by layer.

    Args:
        width_in: input width.
        widths: widths of the layers.
        dropout: probability after every layer.
        momentum: of the running statistics of batch norm.
    """

    def __init__(
        self, width_in: int, widths: Sequence[int], *, dropout: float, momentum: float = 0.1
    ) -> None:
        super().__init__()
        sizes = list(pairwise([width_in, *widths]))
        self.linear = nn.ModuleList(StreamedLinear(a, b) for a, b in sizes)
        self.norm = nn.ModuleList(nn.BatchNorm1d(b, momentum=momentum) for _, b in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map `(batch, width_in)` to `(batch, widths[-1])`."""
        for linear, norm in zip(self.linear, self.norm, strict=True):
            features = self.dropout(torch.relu(norm(linear(features))))
        return features


def feature_critic(width: int) -> nn.Sequential:
    """Make the discriminator of features: width, width / 2, width / 4, one logit."""
    return _critic([width, width // 2, width // 4, 1])


def code_critic(bits: int) -> nn.Sequential:
    """Make the discriminator of codes: bits, 512, one logit."""
    return _critic([bits, _CODE_CRITIC_WIDTH, 1])


def _critic(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        linear = nn.Linear(a, b)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
