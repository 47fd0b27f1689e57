"""The losses between a discriminator and the features or codes of the two modalities."""

from __future__ import annotations

import torch
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
    slope = input_gradient(critic, mix * real + (1 - mix) * fake)
    penalty = (torch.linalg.vector_norm(slope, dim=1) - 1).square().mean()
    return says_real(real_logits), says_fake(fake_logits), penalty


def input_gradient(critic: nn.Sequential, inputs: torch.Tensor) -> torch.Tensor:
    """Differentiate each row's logit by the row, in a form that has a gradient for the critic's weights.

    A second derivative of ReLU is 0, so its masks are constants here and the weights' products are all there
    is. Autograd's own way (`create_graph=True`) goes back through the first pass too, with zeros.

    Args:
        critic: linear layers with ReLU between them, one logit at the end.
        inputs: `(batch, width)`.

    Returns:
        `(batch, width)`.
    """
    *hidden, last = (layer for layer in critic if isinstance(layer, nn.Linear))
    masks: list[torch.Tensor] = []  # what ReLU lets through
    with torch.no_grad():
        for linear in hidden:
            inputs = torch.relu(linear(inputs))
            masks.append(inputs > 0)
    gradient: torch.Tensor = last.weight  # (1, last width)
    for linear, mask in zip(reversed(hidden), reversed(masks), strict=True):
        gradient = (gradient * mask) @ linear.weight  # (batch, in_features)
    return gradient.to(last.weight.dtype)


def says_real(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log sigma(logit), in a form that cannot overflow."""
    return softplus(-logits).mean()


def says_fake(logits: torch.Tensor) -> torch.Tensor:
    """Mean -log(1 - sigma(logit)), in a form that cannot overflow."""
    return softplus(logits).mean()
