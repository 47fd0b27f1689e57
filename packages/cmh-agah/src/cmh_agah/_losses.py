"""The other losses of AGAH's networks and of its critics; every one returns an unweighted scalar."""

from __future__ import annotations

import torch
from cmh_train import gradient_penalty


def cosine_quantisation_loss(code: torch.Tensor) -> torch.Tensor:
    """`sum_i 1 / (1 + exp(cos(|h_i|, 1)))`: small when all entries of a code have the same magnitude.

    Args:
        code: `(batch, bits)` in -1..1.
    """
    magnitude = code.abs()
    cosine = torch.nn.functional.cosine_similarity(magnitude, torch.ones_like(magnitude), dim=1)
    return torch.sigmoid(-cosine).sum()


def classification_loss(logit: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Sum of the binary cross entropies of all labels of all samples.

    Args:
        logit: `(batch, n_label)`.
        label: `(batch, n_label)` of zeros and ones.
    """
    return torch.nn.functional.binary_cross_entropy_with_logits(logit, label, reduction="sum")


def label_code_loss(code: torch.Tensor, label_code: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """`sum (h C^T - bits (2 L - 1))^2`: codes agree with the codes of their labels and oppose all others.

    Args:
        code: `(batch, bits)` in -1..1.
        label_code: `(n_label, bits)` of signs.
        label: `(batch, n_label)` of zeros and ones.
    """
    target = code.shape[1] * (2 * label - 1)
    return (code @ label_code.T - target).square().sum()


def quantisation_loss(code: torch.Tensor) -> torch.Tensor:
    """`sum (h - sign h)^2`; the sign is a constant.

    Args:
        code: `(batch, bits)` in -1..1.
    """
    return (code - code.detach().sign()).square().sum()


def critic_losses(
    critic: torch.nn.Sequential, real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The Wasserstein loss `-mean D(real) + mean D(fake)` and the gradient penalty, both unweighted.

    Args:
        critic: the network D.
        real: `(batch, width)` without graph.
        fake: `(batch, width)` without graph.
        share: `(batch, width)` in 0..1, of the real feature in the points where gradients are taken. The
            authors draw a share for every entry, not for every sample.
    """
    score = critic(torch.cat((real, fake)))  # (2 * batch, 1)
    real_score, fake_score = score.chunk(2)
    return fake_score.mean() - real_score.mean(), gradient_penalty(critic, torch.lerp(fake, real, share))
