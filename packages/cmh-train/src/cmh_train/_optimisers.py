"""Torch's optimisers without `torch._dynamo`, which torch imports with the first of them.

The compiler is never used here, but importing it takes seconds of processor time and 170 MB in every process.
It comes in through wrappers around methods of `torch.optim.Optimizer` that keep the compiler out of them. The
classes below call what is wrapped (`inspect.unwrap`); where a version of torch wraps nothing, that is the
method itself.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable


_LARGE = 2**20
"""Bytes of a weight that is worth a step of its own."""


class PlainOptimiser(Optimizer):
    """Before an optimiser of torch among the bases of a class: the same without `torch._dynamo`.

    A class with a `step` of its own needs no other base. `differentiable` is refused.

    Example:
        >>> class PlainRprop(PlainOptimiser, torch.optim.Rprop): ...
        >>> weight = torch.nn.Parameter(torch.ones(()))
        >>> rprop = PlainRprop([weight], lr=0.25)
        >>> weight.backward()
        >>> rprop.step()
        >>> weight.item()
        0.75
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, as torch does.

        Args:
            param_group: `params`, and options of their own.
        """
        _unwrapped(super().add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as torch does.

        Args:
            set_to_none: False: make them zeros.
        """
        _unwrapped(super().zero_grad)(self, set_to_none)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step, as torch does.

        Args:
            closure: computes the loss and its gradients anew; None: gradients are there.

        Returns:
            What `closure` returned.

        Raises:
            ValueError: if the option `differentiable` is set.
        """
        if self.defaults.get("differentiable"):
            raise ValueError("differentiable must be False; take torch's own optimiser for it")
        return _unwrapped(super().step)(self, closure)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes: `state` and `param_groups`, as torch does."""
        return cast("dict[str, Any]", _unwrapped(super().state_dict)(self))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state, as torch does.

        Args:
            state_dict: of an optimiser of the same kind and the same groups.
        """
        _unwrapped(super().load_state_dict)(self, state_dict)


class _WeightByWeight(PlainOptimiser):
    """An optimiser whose step of one weight looks at no other weight."""

    def step_down(self, loss: torch.Tensor) -> None:
        """Go back from a loss and take a step, as `torch.autograd.backward` and `step` do.

        On a CPU a large weight is updated as soon as its gradient is complete, inside the backward pass, and
        all gradients are freed: the large ones never need memory at once. On other devices one step follows,
        and gradients stay until `zero_grad`.

        Args:
            loss: `()` floating point; the optimiser's weights have no gradients yet.
        """
        large = [
            parameter
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.device.type == "cpu" and parameter.nbytes >= _LARGE and parameter.requires_grad
        ]
        hooks = [parameter.register_post_accumulate_grad_hook(self._step_and_free) for parameter in large]
        try:
            torch.autograd.backward(loss)
        finally:
            for hook in hooks:
                hook.remove()
        self.step()
        if large:
            self.zero_grad()

    def _step_and_free(self, _weight: torch.Tensor) -> None:
        self.step()  # of all weights that have a gradient: this one, and small ones since the last large one
        self.zero_grad()


class PlainAdam(_WeightByWeight, torch.optim.Adam):
    """`torch.optim.Adam` without `torch._dynamo`; `differentiable` is refused.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(()))
        >>> adam = PlainAdam([weight], lr=0.5)
        >>> weight.backward()
        >>> adam.step()
        >>> round(weight.item(), 6)
        0.5
    """


class PlainAdamW(_WeightByWeight, torch.optim.AdamW):
    """`torch.optim.AdamW` without `torch._dynamo`; `differentiable` is refused.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(()))
        >>> adam = PlainAdamW([weight], lr=0.5, weight_decay=0.5)
        >>> weight.backward()
        >>> adam.step()
        >>> round(weight.item(), 6)
        0.25
    """


class PlainSGD(_WeightByWeight, torch.optim.SGD):
    """`torch.optim.SGD` without `torch._dynamo`; `differentiable` is refused.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(()))
        >>> sgd = PlainSGD([weight], lr=0.25)
        >>> weight.backward()
        >>> sgd.step()
        >>> weight.item()
        0.75
    """


def _unwrapped(method: Any) -> Callable[..., Any]:
    """The function inside all wrappers of a bound method."""
    return cast("Callable[..., Any]", inspect.unwrap(method.__func__))
