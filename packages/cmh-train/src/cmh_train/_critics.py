"""The slope of a critic, for gradient penalties."""

from __future__ import annotations

import torch


def input_gradient(critic: torch.nn.Sequential, inputs: torch.Tensor) -> torch.Tensor:
    """Differentiate each row's score by the row, in a form that has a gradient for the critic's weights.

    A ReLU's slope is 0 or 1 and has no derivative, so the gradient is a product of masked weight matrices.
    Autograd's own way (`create_graph=True`) goes back through the first pass too, with zeros.

    Args:
        critic: linear layers with ReLU between them, one output at the end.
        inputs: `(batch, width)`.

    Returns:
        `(batch, width)`.

    Example:
        >>> import torch
        >>> critic = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
        >>> input_gradient(critic, torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """
    *hidden, last = (layer for layer in critic if isinstance(layer, torch.nn.Linear))
    slopes: list[torch.Tensor] = []
    with torch.no_grad():
        for linear in hidden:
            inputs = torch.relu(linear(inputs))
            slopes.append(inputs.sign())  # 0 and 1: much faster than a comparison, which gives bool
    gradient = last.weight.expand(len(inputs), -1)  # (batch, last width)
    for linear, slope in zip(reversed(hidden), reversed(slopes), strict=True):
        gradient = (gradient * slope) @ linear.weight
    return gradient.to(last.weight.dtype)
