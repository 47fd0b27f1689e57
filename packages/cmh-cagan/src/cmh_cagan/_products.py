"""Matrix products of the networks' layers, by the faster of the two libraries that torch has on a CPU.

In single precision `torch.mm` calls MKL, which leaves AVX-512 unused on processors that are not Intel's.
oneDNN, which torch uses for convolutions, does not: with it a step of CAGAN, nearly all of whose time goes
into such products, takes two thirds of the time. Anywhere else (a GPU, other precisions, autocast) torch
multiplies as it always does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

# What torch.compile calls for linear layers on a CPU: (input, weight, bias, "none", [], "").
_ONEDNN: Callable[..., torch.Tensor] | None = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None  # type: ignore[no-untyped-call]
)


class FastLinear(torch.nn.Linear):
    """A linear layer, `x W^T + b`.

    Args:
        in_features: width of the input.
        out_features: width of the output.

    Example:
        >>> FastLinear(3, 2)(torch.ones(4, 3)).shape
        torch.Size([4, 2])
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that torch gives it
        """Map `(n, in_features)` to `(n, out_features)`."""
        if not _takes_onednn(input, self.weight):
            return super().forward(input)
        return _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-any-return]


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
    if not _takes_onednn(features, weight):
        return torch.addmm(bias, adjacency, features @ weight)
    return _GraphLayer.apply(features, adjacency, weight, bias)  # type: ignore[no-any-return]


def _takes_onednn(inputs: torch.Tensor, weight: torch.Tensor) -> bool:
    return (
        _ONEDNN is not None
        and inputs.device.type == "cpu"
        and inputs.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


def _multiply(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Left times right, plus the bias in every row."""
    assert _ONEDNN is not None
    return _ONEDNN(left, right.T, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        return _multiply(inputs, weight.T, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        inputs, weight = ctx.saved_tensors
        of_inputs = _multiply(gradient, weight) if ctx.needs_input_grad[0] else None
        return of_inputs, _multiply(gradient.T, inputs), gradient.sum(dim=0)


class _GraphLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: torch.Tensor,
        adjacency: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        hidden = _multiply(features, weight)
        ctx.save_for_backward(features, adjacency, weight, hidden)
        return torch.addmm(bias, adjacency, hidden)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor, torch.Tensor]:
        features, adjacency, weight, hidden = ctx.saved_tensors
        of_hidden = adjacency.T @ gradient
        of_features = _multiply(of_hidden, weight.T) if ctx.needs_input_grad[0] else None
        return of_features, gradient @ hidden.T, _multiply(features.T, of_hidden), gradient.sum(dim=0)
