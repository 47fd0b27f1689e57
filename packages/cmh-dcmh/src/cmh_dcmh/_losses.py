"""The losses of DCMH: those of a batch's outputs against everything that is known of the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from collections.abc import Mapping


def step_losses(
    outputs: torch.Tensor,
    others: torch.Tensor,
    codes: torch.Tensor,
    column_sums: torch.Tensor,
    similar: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Return what one step minimises, as unweighted named losses.

    They are the parts of the objective (eq. 1 of the paper) that the batch's outputs of one modality enter,
    divided by `batch * n_train` as the port does; the other modality stays as it is.

    Args:
        outputs: `(batch, bits)` floating point, the outputs of the net that learns.
        others: `(n_train, bits)` floating point, what is known of the other modality's outputs.
        codes: `(batch, bits)` floating point in -1, 0, 1: the rows of B.
        column_sums: `(bits,)` floating point, sums over the whole training set of the outputs of the net that
            learns, those of the batch included.
        similar: `(n_train, batch)` floating point, 1 where two rows share a label, 0 elsewhere: S.

    Returns:
        Scalars, `()` floating point. `likelihood`: minus the log likelihood of S, with half the inner product
        of two outputs as log odds; `quantisation`: squared distances of outputs and codes; `balance`: squares
        of the outputs' sums.

    Example:
        >>> outputs = torch.tensor([[2.0, 0.0]])
        >>> losses = step_losses(outputs, torch.zeros(2, 2), torch.ones(1, 2), outputs[0], torch.ones(2, 1))
        >>> {name: round(loss.item(), 3) for name, loss in losses.items()}  # both log odds are 0
        {'likelihood': 0.693, 'quantisation': 1.0, 'balance': 2.0}
    """
    entries = similar.numel()
    likelihood: torch.Tensor = _Likelihood.apply(outputs, others, similar)
    return {
        "likelihood": likelihood / entries,
        "quantisation": (codes - outputs).square().sum() / entries,
        "balance": column_sums.square().sum() / entries,
    }


class _Likelihood(torch.autograd.Function):
    """Minus the log likelihood and, at once, its gradient in closed form, as in the authors' program."""

    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        outputs: torch.Tensor,
        others: torch.Tensor,
        similar: torch.Tensor,
    ) -> torch.Tensor:
        log_odds = (others @ outputs.T).div_(2)  # Theta, (n_train, batch)
        # From 20 on torch takes log(1 + exp x) for x, which is 2e-9 off in double precision.
        loss = softplus(log_odds, threshold=40).sum() - torch.dot(similar.flatten(), log_odds.flatten())
        ctx.save_for_backward(log_odds.sigmoid_().sub_(similar).T @ others / 2)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (of_outputs,) = ctx.saved_tensors
        return gradient * of_outputs, None, None


def total_loss(
    losses: Mapping[str, torch.Tensor], *, quantisation_weight: float = 1.0, balance_weight: float = 1.0
) -> torch.Tensor:
    """Return the weighted sum of the losses of `step_losses`.

    Args:
        losses: by name, scalars, `()` floating point.
        quantisation_weight: gamma.
        balance_weight: eta.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> parts = dict.fromkeys(["likelihood", "quantisation", "balance"], torch.tensor(1.0))
        >>> total_loss(parts, balance_weight=0.5).item()
        2.5
    """
    return (
        losses["likelihood"]
        + quantisation_weight * losses["quantisation"]
        + balance_weight * losses["balance"]
    )
