"""The losses between a discriminator and the features or codes of the two modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from torch import nn


def critic_losses(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a discriminator pays: binary cross entropy on both kinds of input, and a gradient penalty.

    The penalty is that of a Wasserstein critic, though this critic gives the logit of a probability: so does
    the program.

    Args:
        critic: maps `(batch, width)` to `(batch, 1)` logits.
        real: `(batch, width)` image side, detached.
        fake: `(batch, width)` text side, detached.
        mix: `(batch, width)` in [0, 1], one interpolation weight for every element.

    Returns:
        mean -log sigma(D(real)), mean -log(1 - sigma(D(fake))), mean (|grad D(x)|_2 - 1)^2 with x between
        both.
    """
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    # One pass for all three: the critic treats rows alone.
    logits = critic(torch.cat([real, fake, between]))
    real_logits, fake_logits, between_logits = logits.chunk(3)
    (gradient,) = torch.autograd.grad(between_logits.sum(), between, create_graph=True)
    penalty = (torch.linalg.vector_norm(gradient, dim=1) - 1).square().mean()
    return says_real(real_logits), says_fake(fake_logits), penalty


def says_real(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log sigma(logit), in a form that cannot overflow."""
    return softplus(-logits).mean()


def says_fake(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log(1 - sigma(logit)), in a form that cannot overflow."""
    return softplus(logits).mean()
