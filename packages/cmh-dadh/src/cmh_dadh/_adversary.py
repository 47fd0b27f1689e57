"""The losses between a discriminator and the features or codes of the two modalities."""

from __future__ import annotations

import torch
from cmh_train import gradient_penalty
from torch import nn
from torch.nn.functional import softplus


def critic_losses(
    critic: nn.Sequential, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a discriminator pays: binary cross entropy on both kinds of input, and a gradient penalty.

    The penalty is that of a Wasserstein critic, though this critic gives the logit of a probability: so does
    the program.

    Args:
        critic: linear layers with ReLU between them, one logit at the end.
        real: `(batch, width)` image side, detached.
        fake: `(batch, width)` text side, detached.
        mix: `(batch, width)` in [0, 1], one interpolation weight for every element.

    Returns:
        mean -log sigma(D(real)), mean -log(1 - sigma(D(fake))), mean (|grad D(x)|_2 - 1)^2 with x between
        both.
    """
    real_logits, fake_logits = critic(torch.cat([real, fake])).chunk(2)
    penalty = gradient_penalty(critic, mix * real + (1 - mix) * fake)
    return says_real(real_logits), says_fake(fake_logits), penalty


def says_real(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log sigma(logit), in a form that cannot overflow."""
    return softplus(-logits).mean()


def says_fake(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log(1 - sigma(logit)), in a form that cannot overflow."""
    return softplus(logits).mean()
