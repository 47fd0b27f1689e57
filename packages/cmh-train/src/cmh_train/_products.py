"""Matrix products of the networks' layers, by the faster of the two libraries that torch has on a CPU.

In single precision `torch.mm` calls MKL, which leaves AVX-512 unused on processors that are not Intel's.
oneDNN, which torch uses for convolutions, does not: on an AMD EPYC with AVX-512 it takes half to nine tenths
of the time, less than half on one of family 26. On an Intel Xeon it takes as long for outputs, and two to
five times as long for gradients of weights from 32 rows. There and anywhere else (a GPU, other precisions,
autocast) torch multiplies as it always does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from cmh_train._processor import processor_facts

if TYPE_CHECKING:
    from collections.abc import Callable

# What torch.compile calls for linear layers on a CPU: (input, weight, bias, "none", [], "").
_ONEDNN: Callable[..., torch.Tensor] | None = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None  # type: ignore[no-untyped-call]
)

_INTEL = "GenuineIntel" in processor_facts("vendor_id")
"""Where Linux does not say, oneDNN multiplies."""

_FEWEST = 2**22
"""Multiplications of a product that is worth the detour, which takes about 10 microseconds."""


class FastLinear(torch.nn.Linear):
    """A linear layer, `x W^T + b`, with products by `fast_product`.

    Args:
        in_features: width of the input.
        out_features: width of the output.

    Example:
        >>> FastLinear(3, 2)(torch.ones(4, 3)).shape
        torch.Size([4, 2])
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that torch gives it
        """Multiply and add the bias.

        Args:
            input: `(n, in_features)` floating point.

        Returns:
            `(n, out_features)` floating point.
        """
        return fast_linear(input, self.weight, self.bias)


def fast_linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return `inputs weight^T + bias`, with products by `fast_product`.

    Args:
        inputs: `(..., in_features)` floating point.
        weight: `(out_features, in_features)` floating point; it may be a transposed matrix, and gets a
            gradient of its own layout.
        bias: `(out_features,)` floating point; None: none.

    Returns:
        `(..., out_features)` floating point, with gradients.

    Example:
        >>> fast_linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]])).tolist()
        [[3.0]]
    """
    if has_fast_product(inputs, weight.T):
        output: torch.Tensor = _Linear.apply(inputs, weight, bias)
        return output
    if weight.is_contiguous() or inputs.ndim != 2:
        return torch.nn.functional.linear(inputs, weight, bias)
    return inputs @ weight.T if bias is None else torch.addmm(bias, inputs, weight.T)


def has_fast_product(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Say whether `fast_product` of two matrices is another library's than torch's own products.

    Args:
        left: `(n, k)` of any dtype.
        right: `(k, m)` of any dtype.

    Returns:
        Whether both are float32 and on a CPU that is not Intel's and for which torch has oneDNN, there is
        enough to multiply, and no autocast.

    Example:
        >>> has_fast_product(torch.ones(2, 3).double(), torch.ones(3, 2).double())
        False
    """
    return (
        _ONEDNN is not None
        and not _INTEL
        and left.ndim == right.ndim == 2
        and left.device.type == "cpu"
        and left.dtype == right.dtype == torch.float32
        and left.numel() * right.shape[1] >= _FEWEST
        and not torch.is_autocast_enabled("cpu")
    )


def fast_product(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return the product of two matrices, plus a bias in every row; no gradient.

    It is for functions with a backward pass of their own.

    Args:
        left: `(n, k)` floating point.
        right: `(k, m)` floating point.
        bias: `(m,)` floating point; None: none.

    Returns:
        `(n, m)` floating point.

    Example:
        >>> fast_product(torch.ones(1, 2), torch.eye(2), torch.tensor([0.0, 1.0])).tolist()
        [[1.0, 2.0]]
    """
    with torch.no_grad():
        if has_fast_product(left, right):
            return _onednn(left, right, bias)
        return left @ right if bias is None else torch.addmm(bias, left, right)


def _onednn(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    assert _ONEDNN is not None
    return _ONEDNN(left, right.T, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """Where `has_fast_product` is true for the layer, it is so for both products of its backward pass."""

    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        return _onednn(inputs, weight.T, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
        inputs, weight = ctx.saved_tensors
        of_inputs = _onednn(gradient, weight) if ctx.needs_input_grad[0] else None
        # In the weights' own layout: autograd would copy any other into it.
        own_layout = weight.is_contiguous()
        of_weight = _onednn(gradient.T, inputs) if own_layout else _onednn(inputs.T, gradient).T
        return of_inputs, of_weight, gradient.sum(dim=0) if ctx.needs_input_grad[2] else None
