"""A linear layer that multiplies only what is not zero: rows of word counts are zero to 98 or 99%.

A row's output is the sum of the weights of its words; the gradient of a word's weights is the sum of the
output gradients of the rows that have the word. Both are sums of rows of a matrix, which
`torch.nn.functional.embedding_bag` adds, if a word's weights lie together: the transpose of what other linear
layers keep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from cmh_train._products import fast_linear

_LARGEST_SHARE = 1 / 16
"""Of entries that are not zero; at about 1/8 the dense product takes as long."""


class SparseInputLinear(torch.nn.Module):
    """A linear layer, `x W + b`, that is fast where most of x is zero; the initial values are torch's.

    On a CPU, in single or double precision, inputs without a gradient of which at most a sixteenth is not
    zero are multiplied entry by entry; all others as `FastLinear` does it.

    Args:
        in_features: width of the input.
        out_features: width of the output.

    Example:
        >>> layer = SparseInputLinear(100, 2)
        >>> layer(torch.eye(4, 100)).shape
        torch.Size([4, 2])
        >>> layer.transposed_weight.shape
        torch.Size([100, 2])
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        linear = torch.nn.Linear(in_features, out_features)
        self.transposed_weight = torch.nn.Parameter(linear.weight.detach().T.contiguous())  # W
        self.bias = linear.bias

    @property
    def weight(self) -> torch.Tensor:
        """`(out_features, in_features)` floating point, the weights as `torch.nn.Linear` has them."""
        return self.transposed_weight.T

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Multiply and add the bias.

        Args:
            inputs: `(n, in_features)` floating point.

        Returns:
            `(n, out_features)` floating point.
        """
        return sparse_linear(inputs, self.transposed_weight, self.bias)


def sparse_linear(
    inputs: torch.Tensor, transposed_weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return `inputs transposed_weight + bias`, as `SparseInputLinear` multiplies.

    Args:
        inputs: `(n, in_features)` floating point.
        transposed_weight: `(in_features, out_features)` floating point, contiguous.
        bias: `(out_features,)` floating point; None: none.

    Returns:
        `(n, out_features)` floating point, with gradients.

    Example:
        >>> sparse_linear(torch.eye(40)[:2], torch.arange(40.0)[:, None]).tolist()
        [[0.0], [1.0]]
    """
    if _may_be_sparse(inputs, transposed_weight):
        found = np.flatnonzero(inputs.numpy() != 0)  # a sixth of the time of torch's nonzero
        if len(found) <= _LARGEST_SHARE * inputs.numel():
            places = torch.empty(len(found), dtype=torch.int64)
            places.numpy()[...] = found
            output: torch.Tensor = _SparseProduct.apply(inputs, places, transposed_weight)
            return output if bias is None else output + bias
    return fast_linear(inputs, transposed_weight.T, bias)


def _may_be_sparse(inputs: torch.Tensor, weight: torch.Tensor) -> bool:
    return (
        inputs.device.type == "cpu"
        and inputs.ndim == 2
        and inputs.shape[1] == len(weight)  # the dense product refuses other widths, entry by entry none does
        and inputs.dtype == weight.dtype
        and inputs.dtype in {torch.float32, torch.float64}
        and not inputs.requires_grad
        and not torch.is_autocast_enabled("cpu")
    )


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        places: torch.Tensor,
        weight: torch.Tensor,
    ) -> torch.Tensor:
        width = max(1, len(weight))
        samples, words = places // width, places % width
        counts = inputs.reshape(-1)[places]
        ctx.save_for_backward(samples, words, counts)
        ctx.width = len(weight)
        return _sums_of_rows(weight, words, samples, counts, len(inputs))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        samples, words, counts = ctx.saved_tensors
        words, order = words.sort(stable=True)
        gradient = gradient.contiguous()
        return None, None, _sums_of_rows(gradient, samples[order], words, counts[order], ctx.width)


def _sums_of_rows(
    matrix: torch.Tensor, rows: torch.Tensor, sums: torch.Tensor, factors: torch.Tensor, n: int
) -> torch.Tensor:
    """Add rows of a contiguous matrix, times a factor each, to the sums that they belong to, in rising order.

    Returns:
        `(n, width)`, a row for each sum.
    """
    starts = torch.searchsorted(sums, torch.arange(n))
    result: torch.Tensor = embedding_bag(rows, matrix, starts, mode="sum", per_sample_weights=factors)
    return result
