"""Products of the layers, and a hidden layer with a backward pass of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from cmh_train import SparseInputLinear, fast_linear, fast_product, sparse_linear

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 2**20
"""Entries of a hidden layer at a time, 4 MiB: few next to the weights, many enough for fast products."""


def graph_layer(
    features: torch.Tensor, adjacency: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return `adjacency features weight + bias`.

    Which product comes first is what takes fewer multiplications in a training step: features are mixed
    first where they are narrower than what the layer makes of them, as in large batches. Otherwise features
    that are mostly zero, as word counts are, are multiplied entry by entry.

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
    if mixes_first(features, weight):
        return fast_linear(adjacency @ features, weight.T, bias)
    return torch.addmm(bias, adjacency, sparse_linear(features, weight))


def mixes_first(features: torch.Tensor, weight: torch.Tensor) -> bool:
    """Say whether to multiply `(adjacency features) weight` or else `adjacency (features weight)`.

    Args:
        features: `(n, width_in)` floating point; where they need no gradient, one product less is counted.
        weight: `(width_in, width_out)` floating point.

    Returns:
        Whether the first takes fewer multiplications, forward and backward pass together.

    Example:
        >>> [mixes_first(torch.ones(n, 2), torch.ones(2, 4)) for n in (1, 2)]
        [False, True]
    """
    n, (width_in, width_out) = len(features), weight.shape
    of_features = 2 + features.requires_grad  # the layer, the gradient of its other factor, that of features
    mixed_first = 3 * width_in * width_out + of_features * n * width_in
    return mixed_first < of_features * width_in * width_out + 3 * n * width_out


def hash_rows(network: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return `network(inputs)`, but keep nothing of a large hidden layer for the backward pass.

    The hidden layer is made again there, a block of its units at a time.

    Args:
        network: linear layers with ReLU between them, one after the other.
        inputs: `(n, width_in)` floating point, which need no gradient.

    Returns:
        `(n, width_out)` floating point, with gradients of the weights.

    Example:
        >>> network = torch.nn.Sequential(torch.nn.Linear(3, 2))
        >>> hash_rows(network, torch.ones(4, 3)).shape
        torch.Size([4, 2])
    """
    linear = [layer for layer in network.children() if isinstance(layer, torch.nn.Linear | SparseInputLinear)]
    if (
        len(linear) != 2
        or len(inputs) * len(linear[0].bias) <= _BLOCK
        or inputs.device.type != "cpu"
        or torch.is_autocast_enabled("cpu")
    ):
        return cast("torch.Tensor", network(inputs))
    hidden, head = linear
    output: torch.Tensor = _OneHiddenLayer.apply(inputs, hidden.weight, hidden.bias, head.weight, head.bias)
    return output


class _OneHiddenLayer(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - what `apply` hands over
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        head: torch.Tensor,
        head_bias: torch.Tensor,
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight, bias, head)
        output = head_bias.repeat(len(inputs), 1)
        for units in _blocks(len(inputs), len(weight)):
            part = head[:, units].contiguous()  # oneDNN is very slow with rows that lie apart
            output += fast_product(_hidden(inputs, weight[units], bias[units]), part.T)
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight, bias, head = ctx.saved_tensors
        of_weight, of_bias, of_head = (torch.empty_like(tensor) for tensor in (weight, bias, head))
        for units in _blocks(len(inputs), len(weight)):
            hidden = _hidden(inputs, weight[units], bias[units])  # (n, units of the block)
            of_head[:, units] = fast_product(gradient.T, hidden)
            of_hidden = fast_product(gradient, head[:, units].contiguous()).masked_fill_(hidden <= 0, 0)
            of_bias[units] = of_hidden.sum(dim=0)
            of_weight[units] = fast_product(of_hidden.T, inputs)
        return None, of_weight, of_bias, of_head, gradient.sum(dim=0)


def _hidden(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    # oneDNN is very slow with rows that lie apart, as those of transposed weights do.
    return fast_product(inputs, weight.contiguous().T, bias).relu_()


def _blocks(n: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // n)
    return (slice(start, start + step) for start in range(0, width, step))
