"""Dense layers whose weight gradients share one piece of memory.

At the sizes of the paper the networks have 129 million weights. A plain backward pass allocates half a
gigabyte of gradients in every step and gives it back, and the operating system clears those pages each time.
Here the backward pass of a layer leaves only the two small factors of its weight gradient G = D^T X (D:
gradient at the output, X: input). The optimiser forms one G after the other in a workspace that it keeps. The
mathematics are those of `torch.optim.Adam`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam


class StreamedLinear(nn.Linear):
    """A linear layer that hands the factors of its weight gradient to `StreamedAdam`.

    It may be used any number of times in a step.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that torch gives it
        """Map `(batch, in_features)` to `(batch, out_features)`."""
        if not torch.is_grad_enabled():
            return super().forward(input)
        kind = input.device.type
        product_type = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else input.dtype
        output: torch.Tensor = _Streamed.apply(input.to(product_type), self.weight, self.bias)
        return output


class _Streamed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        ctx.weight = weight
        product_weight = weight.to(inputs.dtype)
        ctx.save_for_backward(inputs, product_weight)
        return torch.addmm(bias.to(inputs.dtype), inputs, product_weight.T)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, None, torch.Tensor]:
        inputs, product_weight = ctx.saved_tensors
        if not hasattr(ctx.weight, "gradient_factors"):
            ctx.weight.gradient_factors = []
        ctx.weight.gradient_factors.append((grad_output, inputs))
        grad_input = grad_output @ product_weight if ctx.needs_input_grad[0] else None
        return grad_input, None, grad_output.sum(0, dtype=ctx.weight.dtype)


class StreamedAdam(torch.optim.Adam):
    """Adam that also takes weight gradients as factors; its state dict is that of `torch.optim.Adam`."""

    one_gradient_at_a_time = True  # for the estimate of the memory that training needs
    _workspace: torch.Tensor | None = None

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
                    self._update(group, weight, self._gradient(weight, factors))

    def _gradient(
        self, weight: torch.Tensor, factors: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> torch.Tensor:
        work = self._workspace
        if (
            work is None
            or work.numel() < weight.numel()
            or (work.dtype, work.device) != (weight.dtype, weight.device)
        ):
            self._workspace = work = torch.empty_like(weight).flatten()
        gradient = work[: weight.numel()].view_as(weight)
        (grad_output, inputs), *more = factors
        if grad_output.dtype == weight.dtype:
            torch.mm(grad_output.T, inputs, out=gradient)
        else:
            gradient.copy_(grad_output.T @ inputs)
        for grad_output, inputs in more:
            gradient += grad_output.T @ inputs
        return gradient

    def _update(self, group: dict[str, Any], weight: torch.Tensor, gradient: torch.Tensor) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        adam(
            [weight],
            [gradient],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
