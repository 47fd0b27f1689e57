"""The graph layer with a backward pass of its own, whose products are those of `cmh_train.fast_product`."""

from __future__ import annotations

from typing import Any

import torch
from cmh_train import fast_product, has_fast_product


def graph_layer(
    features: torch.Tensor, adjacency: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return `adjacency (features weight) + bias`.

    Args:
        features: `(n, width_in)` floating point.
        adjacency: `(n, n)` floating point.
        weight: `(width_in, width_out)` floating point.
        bias: `(width_out,)` floating point.

    Returns:
        `(n, width_out)` floating point, with gradients.

    Example:
        >>> graph_layer(torch.ones(2, 1), torch.eye(2), torch.full((1, 1), 3.0), torch.ones(1)).tolist()
        [[4.0], [4.0]]
    """
    if not has_fast_product(features, weight):
        return torch.addmm(bias, adjacency, features @ weight)
    output: torch.Tensor = _GraphLayer.apply(features, adjacency, weight, bias)
    return output


class _GraphLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        features: torch.Tensor,
        adjacency: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        hidden = fast_product(features, weight)
        ctx.save_for_backward(features, adjacency, weight, hidden)
        return torch.addmm(bias, adjacency, hidden)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor, torch.Tensor]:
        features, adjacency, weight, hidden = ctx.saved_tensors
        of_hidden = adjacency.T @ gradient
        of_features = fast_product(of_hidden, weight.T) if ctx.needs_input_grad[0] else None
        return of_features, gradient @ hidden.T, fast_product(features.T, of_hidden), gradient.sum(dim=0)
