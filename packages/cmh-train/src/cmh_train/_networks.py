"""Stacks of linear layers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from cmh_train._products import FastLinear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def linear_layers(
    input_width: int,
    widths: Sequence[int],
    output_width: int,
    *,
    first_layer: Callable[[int, int], torch.nn.Module] = FastLinear,
) -> torch.nn.Sequential:
    """Make linear layers with ReLU between them: a network before its tanh, a decoder, a discriminator.

    Args:
        input_width: width of the input.
        widths: of the hidden layers; none: one linear layer.
        output_width: width of the output.
        first_layer: what makes the layer of the input, with the initial values of torch's.

    Returns:
        A network from `(batch, input_width)` to `(batch, output_width)`, of `FastLinear`, initialised as
        torch does.

    Example:
        >>> [tuple(p.shape) for p in linear_layers(5, (7,), 8).parameters()]
        [(7, 5), (7,), (8, 7), (8,)]
    """
    layers: list[torch.nn.Module] = []
    for width_in, width_out in pairwise([input_width, *widths, output_width]):
        kind = FastLinear if layers else first_layer
        layers += [kind(width_in, width_out), torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers[:-1])
