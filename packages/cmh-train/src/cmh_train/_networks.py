"""Stacks of linear layers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def linear_layers(
    input_width: int,
    widths: Sequence[int],
    output_width: int,
    *,
    layer: type[torch.nn.Linear] = torch.nn.Linear,
) -> torch.nn.Sequential:
    """Make linear layers with ReLU between them: a network before its tanh, a decoder, a discriminator.

    Args:
        input_width: width of the input.
        widths: of the hidden layers; none: one linear layer.
        output_width: width of the output.
        layer: what a linear layer is, with the initial values of torch's.

    Returns:
        A network from `(batch, input_width)` to `(batch, output_width)`, initialised as torch does.

    Example:
        >>> [tuple(p.shape) for p in linear_layers(5, (7,), 8).parameters()]
        [(7, 5), (7,), (8, 7), (8,)]
    """
    layers: list[torch.nn.Module] = []
    for width_in, width_out in pairwise([input_width, *widths]):
        layers += [layer(width_in, width_out), torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers, layer([input_width, *widths][-1], output_width))
