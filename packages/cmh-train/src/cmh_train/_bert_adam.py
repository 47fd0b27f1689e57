"""BertAdam: the optimiser of the programs that fine-tune CLIP."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import torch

from cmh_train._optimisers import PlainOptimiser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class BertAdam(PlainOptimiser):
    """Adam without bias correction, with every tensor's gradient clipped by itself and a rate that warms up.

    For each tensor: the gradient's norm is clipped to `clip_norm`; `m <- b1 m + (1 - b1) g`,
    `v <- b2 v + (1 - b2) g^2`, `w <- w - rate (m / (sqrt(v) + eps) + weight_decay w)`. Of the share x of
    steps that were taken the rate is `lr x / warm_up` below `warm_up`, so that the first step changes
    nothing, and `lr (1 + cos(pi x)) / 2` from then on: it jumps down where the two meet.

    A group with `stacked=True` holds tensors that stand for several each, stacked along the first axis, which
    are clipped by themselves.

    Args:
        params: tensors `(...)` floating point, or groups of them, which may set their own `stacked`.
        lr: the largest rate, `> 0`.
        n_step: steps of the whole training, over which the rate falls to 0; it stays there.
        warm_up: share of them in which the rate rises.
        betas: b1, b2.
        eps: added to the root of v.
        weight_decay: of all tensors, biases too.
        clip_norm: largest norm of a tensor's gradient.
        stacked: whether tensors are stacks.

    Raises:
        ValueError: if `lr` or `n_step` is not positive.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> optimiser = BertAdam([weight], lr=0.1, n_step=10)
        >>> weight.grad = torch.ones(2)
        >>> optimiser.step()
        >>> weight.tolist()
        [1.0, 1.0]

    Source: the optimiser of the first PyTorch BERT, as DCHMT's and DSPH's programs carry it.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        n_step: int,
        warm_up: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        weight_decay: float = 0.2,
        clip_norm: float = 1.0,
        stacked: bool = False,
    ) -> None:
        if lr <= 0 or n_step <= 0:
            raise ValueError(f"lr and n_step must be positive, but they are {lr} and {n_step}")
        defaults = {
            "lr": lr,
            "n_step": n_step,
            "warm_up": warm_up,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "clip_norm": clip_norm,
            "stacked": stacked,
            "taken": 0,
        }
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step, without waiting for the device.

        Args:
            closure: computes the loss and its gradients anew; None: gradients are there.

        Returns:
            What `closure` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rate = group["lr"] * warm_up_cosine(group["taken"] / group["n_step"], group["warm_up"])
            group["taken"] += 1
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group, rate)
        return loss

    def _update(self, parameter: torch.Tensor, group: dict[str, Any], rate: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["exp_avg"], state["exp_avg_sq"] = (torch.zeros_like(parameter) for _ in range(2))
        gradient = parameter.grad
        axes = tuple(range(int(group["stacked"]), gradient.ndim))
        norm = torch.linalg.vector_norm(gradient, dim=axes, keepdim=True)
        gradient = gradient * (group["clip_norm"] / (norm + 1e-6)).clamp(max=1)  # 1e-6: as torch's clipping
        b1, b2 = group["betas"]
        mean = state["exp_avg"].mul_(b1).add_(gradient, alpha=1 - b1)
        square = state["exp_avg_sq"].mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        update = mean / (square.sqrt() + group["eps"])
        parameter.mul_(1 - rate * group["weight_decay"]).sub_(update, alpha=rate)


def warm_up_cosine(share: float, warm_up: float) -> float:
    """Return the factor of the rate: a line up to 1, then half a cosine.

    Args:
        share: of the steps of the whole training that were taken; above 1 as 1.
        warm_up: share of the line.

    Returns:
        Between 0 and 1.

    Example:
        >>> [round(warm_up_cosine(share, 0.1), 3) for share in (0.0, 0.05, 0.1, 0.5, 1.0)]
        [0.0, 0.5, 0.976, 0.5, 0.0]
    """
    if share < warm_up:
        return share / warm_up
    return (1 + math.cos(math.pi * min(share, 1.0))) / 2
