"""Dense layers whose weight gradients share one piece of memory.

At the sizes of the paper the networks have 129 million weights. A plain backward pass allocates half a
gigabyte of gradients in every step and gives it back, and the operating system clears those pages each time.
Here the backward pass of a layer leaves only the two small factors of its weight gradient G = D^T X (D:
gradient at the output, X: input). The optimiser forms G in a workspace that it keeps, on a CPU some rows at a
time, which are still in the cache when their weights are updated. The mathematics are those of
`torch.optim.Adam`.

Under autocast the products take copies of the weights in bfloat16. They are kept for the same reason, and the
optimiser rounds anew what it has updated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from cmh_train import FastLinear, PlainAdam, fast_product, has_fast_product
from torch.optim.adam import adam

_PIECE = 2**22
"""Entries of a gradient at a time: 16 MB in single precision, half of a cache of today."""


class StreamedLinear(FastLinear):
    """A linear layer that hands the factors of its weight gradient to `StreamedAdam`.

    It may be used any number of times in a step.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that torch gives it
        """Map `(batch, in_features)` to `(batch, out_features)`."""
        kind = input.device.type
        product_type = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else input.dtype
        inputs = input.to(product_type)
        if torch.is_grad_enabled():
            output: torch.Tensor = _Streamed.apply(inputs, self.weight, self.bias)
            return output
        return fast_product(inputs, _rounded(self.weight, product_type).T, self.bias.to(product_type))


class _Copy(NamedTuple):
    """A weight as the products take it, and what told that the weight is still the same."""

    values: torch.Tensor
    state: tuple[int, int]


def _state(weight: torch.Tensor) -> tuple[int, int]:
    # The first counts changes in place, the second tells of another piece of memory.
    return weight._version, weight.data_ptr()  # noqa: SLF001 - torch has no public name for it


def _rounded(weight: torch.Tensor, dtype: torch.dtype, *, keep: bool = False) -> torch.Tensor:
    """Return the weight in another precision: the copy that is kept, if the weight is still the same."""
    if weight.dtype == dtype:
        return weight
    kept: _Copy | None = vars(weight).get("rounded_copy")
    if kept is not None and kept.values.dtype == dtype and kept.state == _state(weight):
        return kept.values
    values = weight.detach().to(dtype)
    if keep:
        vars(weight)["rounded_copy"] = _Copy(values, _state(weight))
    return values


class _Streamed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        ctx.weight = weight
        product_weight = _rounded(weight, inputs.dtype, keep=True)
        ctx.save_for_backward(inputs, product_weight)
        return fast_product(inputs, product_weight.T, bias.to(inputs.dtype))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, None, torch.Tensor]:
        inputs, product_weight = ctx.saved_tensors
        if not hasattr(ctx.weight, "gradient_factors"):
            ctx.weight.gradient_factors = []
        ctx.weight.gradient_factors.append((grad_output, inputs))
        grad_input = fast_product(grad_output, product_weight) if ctx.needs_input_grad[0] else None
        return grad_input, None, grad_output.sum(0, dtype=ctx.weight.dtype)


class StreamedAdam(PlainAdam):
    """Adam that also takes weight gradients as factors; its state dict is that of `torch.optim.Adam`."""

    # For the estimate of the memory that training needs:
    one_gradient_at_a_time = True
    keeps_rounded_weights = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget gradients and gradient factors."""
        super().zero_grad(set_to_none)
        for group in self.param_groups:
            for parameter in group["params"]:
                vars(parameter).pop("gradient_factors", None)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters: those with a gradient, and those with gradient factors."""
        super().step(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                factors = vars(weight).pop("gradient_factors", None)
                if factors:
                    self._update(group, weight, factors)

    def _update(
        self, group: dict[str, Any], weight: torch.Tensor, factors: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        copy: _Copy | None = vars(weight).get("rounded_copy")
        if copy is not None and copy.state != _state(weight):
            copy = None
        n_rows = max(1, _PIECE // weight.shape[1]) if weight.device.type == "cpu" else len(weight)
        for start in range(0, len(weight), n_rows):
            rows = slice(start, start + n_rows)
            adam(
                [weight[rows]],
                [self._gradient(weight[rows], [(output[:, rows], inputs) for output, inputs in factors])],
                [state["exp_avg"][rows]],
                [state["exp_avg_sq"][rows]],
                [],
                [state["step"].clone()],  # each piece counts the same step
                fused=True,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
            if copy is not None:
                copy.values[rows] = weight[rows]
        if copy is not None:
            vars(weight)["rounded_copy"] = _Copy(copy.values, _state(weight))
        state["step"] += 1

    def _gradient(
        self, weight: torch.Tensor, factors: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> torch.Tensor:
        """Sum `D^T X` over the uses of a layer, in a workspace where that is as fast as new memory."""
        if all(has_fast_product(output.T, inputs) for output, inputs in factors):
            return _sum_of_fast_products(factors)
        gradient = self._workspace("gradient", weight, weight.dtype)
        for use, (grad_output, inputs) in enumerate(factors):
            if use == 0 and inputs.dtype == gradient.dtype:
                _product(grad_output, inputs, out=gradient)
                continue
            product = _product(grad_output, inputs, out=self._workspace("product", weight, inputs.dtype))
            if use == 0:
                gradient.copy_(product)
            else:
                gradient += product
        return gradient

    def _workspace(self, purpose: str, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return memory of a weight's shape that is kept from step to step.

        New memory would cost several times what the product takes: the operating system clears its pages.
        """
        works: dict[tuple[str, torch.dtype, torch.device], torch.Tensor] = vars(self).setdefault(
            "_workspaces", {}
        )
        key = (purpose, dtype, weight.device)
        work = works.get(key)
        if work is None or work.numel() < weight.numel():
            works[key] = work = torch.empty(weight.numel(), dtype=dtype, device=weight.device)
        return work[: weight.numel()].view(weight.shape)


def _sum_of_fast_products(factors: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    (first_output, first_inputs), *others = factors
    gradient = fast_product(first_output.T, first_inputs)
    for grad_output, inputs in others:
        gradient += fast_product(grad_output.T, inputs)
    return gradient


def _product(grad_output: torch.Tensor, inputs: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
    left = grad_output.T
    if inputs.dtype == torch.bfloat16:
        left = left.contiguous()  # half as long again without
    return torch.mm(left, inputs, out=out)
