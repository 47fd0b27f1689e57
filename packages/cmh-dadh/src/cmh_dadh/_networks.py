"""The networks of DADH."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from cmh_train import FastLinear
from torch import nn

from cmh_dadh._streamed import StreamedLinear

if TYPE_CHECKING:
    from collections.abc import Sequence

_CODE_DISCRIMINATOR_WIDTH = 512


class FeatureNet(nn.Module):
    """Linear, batch norm if asked for, ReLU, dropout, layer by layer.

    Args:
        width_in: input width.
        widths: widths of the layers.
        dropout: probability after every layer.
        momentum: of the running statistics of batch norm.
        batch_norm: whether there is any.
    """

    def __init__(
        self,
        width_in: int,
        widths: Sequence[int],
        *,
        dropout: float,
        momentum: float = 0.1,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        sizes = list(pairwise([width_in, *widths]))
        self.linear = nn.ModuleList(StreamedLinear(a, b) for a, b in sizes)
        self.momentum = momentum
        self.norm = nn.ModuleList(
            nn.BatchNorm1d(b, momentum=momentum) if batch_norm else nn.Identity() for _, b in sizes
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map `(batch, width_in)` to `(batch, widths[-1])`."""
        for linear, norm in zip(self.linear, self.norm, strict=True):
            features = self.dropout(torch.relu_(norm(linear(features))))
        return features

    def reset_as_relu(self) -> None:
        """Draw the weights anew from Kaiming's normal distribution; biases are 0."""
        for linear in self.modules():
            if isinstance(linear, nn.Linear):
                nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
                nn.init.zeros_(linear.bias)

    def set_momentum(self, momentum: float) -> None:
        """Change the momentum of the running statistics."""
        self.momentum = momentum
        for norm in self.norm:
            if isinstance(norm, nn.BatchNorm1d):
                norm.momentum = momentum


def feature_discriminator(width: int) -> nn.Sequential:
    """Make the discriminator of features: width, width / 2, width / 4, one logit."""
    return _discriminator([width, width // 2, width // 4, 1])


def code_discriminator(bits: int) -> nn.Sequential:
    """Make the discriminator of codes: bits, 512, one logit."""
    return _discriminator([bits, _CODE_DISCRIMINATOR_WIDTH, 1])


def _discriminator(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        linear = FastLinear(a, b)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
