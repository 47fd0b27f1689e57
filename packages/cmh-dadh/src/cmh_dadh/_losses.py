"""The losses of DADH: weighted triplets across the modalities, and those of and against discriminators.

For an anchor a, positives p (s_ap > 0) and negatives n (s_an = 0), with cosine distance d:

    T = sum_a sum_p w_ap sum_n max(0, d_ap - d_an + margin)

The weight of a triplet depends on its anchor and positive only, because a negative shares no label; so no
cube of triplets is made.
"""

from __future__ import annotations

import torch
from cmh_train import gradient_penalty, triplet_hinge_sum
from torch import nn
from torch.nn.functional import normalize, softplus


def triplet_weights(label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight every positive by the share of its relevance in the anchor's ideal ranking.

        w_ap = (2^s_ap - 1) / Z_a,   Z_a = sum_j (2^s_a(j) - 1) / log2(j + 2),   s_a sorted descending

    The program writes 2^s_ap - 2^s_an; a negative has s_an = 0. An anchor without labels has no positives and
    Z_a = 0: its weights are 0 (the program divides 0 by 0).

    Args:
        label: `(batch, n_label)` zeros and ones.

    Returns:
        `(batch, batch)` weights, 0 for negatives, and `(batch, batch)` bool, True for negatives.
    """
    shared = label @ label.T
    gain = torch.exp2(shared) - 1
    discount = torch.log2(torch.arange(2, len(label) + 2, device=label.device, dtype=label.dtype))
    ideal = (gain.sort(dim=1, descending=True).values / discount).sum(dim=1)
    return gain / ideal.clamp(min=torch.finfo(label.dtype).tiny).unsqueeze(1), shared == 0


def triplet_losses(
    codes: torch.Tensor,
    others: torch.Tensor,
    weights: torch.Tensor,
    negative: torch.Tensor,
    margin: float,
    *,
    by_anchor: bool = False,
) -> torch.Tensor:
    """Sum the hinges of all triplets in both directions.

    Args:
        codes: `(batch, bits)` real-valued codes of one modality.
        others: `(batch, bits)` codes of the other, row for row the same samples.
        weights: `(batch, batch)` symmetric support, weight of anchor (row) and positive (column), 0 for
            negatives.
        negative: `(batch, batch)` bool, symmetric, pairs without a shared label.
        margin: in cosine distance.
        by_anchor: sum over the triplets of each anchor alone.

    Returns:
        `(2,)`: anchors from `codes`, and anchors from `others`; by anchor `(2, batch)`.
    """
    cosine = normalize(codes) @ normalize(others).T
    # d = max(0, 1 - cos), less the 1 that drops out of every difference: smaller numbers, smaller rounding
    # errors.
    distance = (-cosine).clamp(min=-1)
    distances = torch.stack([distance, distance.T])
    return triplet_hinge_sum(distances, weights, negative, margin=margin, by_anchor=by_anchor)


def reference_losses(
    codes: torch.Tensor,
    references: torch.Tensor,
    weights: torch.Tensor,
    negative: torch.Tensor,
    *,
    margin: float,
    by_anchor: bool = False,
) -> torch.Tensor:
    """Sum the hinges that keep a reference point z between the positives and the negatives of every anchor.

        sum_a sum_p sum_n w_ap [ max(0, d_ap - d_az + margin) + max(0, d_az - d_an + margin) ]

    z takes the place of the negative, and then of the positive, in every triplet of `triplet_losses`.

    Args:
        codes: `(2, batch, bits)` codes of the two modalities.
        references: `(2, bits)` the reference point of each modality; anchors are of the other.
        weights: as in `triplet_losses`.
        negative: likewise.
        margin: in cosine distance.
        by_anchor: sum over the triplets of each anchor alone.

    Returns:
        `(2,)`: anchors from the first modality, and from the second; by anchor `(2, batch)`.
    """
    codes, references = normalize(codes, dim=-1), normalize(references, dim=-1)
    distance = (-codes[0] @ codes[1].T).clamp(min=-1)
    distances = torch.stack([distance, distance.T])  # (2, batch, batch)
    between = -torch.einsum("mab,mb->ma", codes, references.flip(0)).unsqueeze(-1)  # d_az, (2, batch, 1)
    nearer = (weights * (distances - between + margin).clamp(min=0)).sum(dim=-1)
    farther = (negative * (between - distances + margin).clamp(min=0)).sum(dim=-1)
    hinges = negative.sum(dim=-1) * nearer + weights.sum(dim=-1) * farther
    return hinges if by_anchor else hinges.sum(dim=-1)


def discriminator_losses(
    discriminator: nn.Sequential, real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute the discriminator loss: binary cross entropy on both kinds of input, and a gradient penalty.

    The penalty is that of a Wasserstein discriminator, though this one gives the logit of a probability: so
    does the program.

    Args:
        discriminator: linear layers with ReLU between them, one logit at the end.
        real: `(batch, width)` floating point, image side, without graph.
        fake: `(batch, width)` floating point, text side, without graph.
        share: `(batch, width)` in 0..1, of the real side in the points where gradients are taken; drawn for
            every entry.

    Returns:
        mean -log sigma(D(real)), mean -log(1 - sigma(D(fake))) and mean (|grad D(x)|_2 - 1)^2 with x between
        both, scalars.
    """
    real_logits, fake_logits = discriminator(torch.cat([real, fake])).chunk(2)
    penalty = gradient_penalty(discriminator, share * real + (1 - share) * fake)
    return real_loss(real_logits), fake_loss(fake_logits), penalty


def real_loss(logits: torch.Tensor, *, by_sample: bool = False) -> torch.Tensor:
    """Compute the mean of -log sigma(logit), in a form that cannot overflow.

    Args:
        logits: `(batch, 1)` floating point.
        by_sample: keep what each row adds to the mean.

    Returns:
        Scalar: small where the discriminator takes the inputs for real; by sample `(batch,)`.
    """
    return _mean(softplus(-logits), by_sample=by_sample)


def fake_loss(logits: torch.Tensor, *, by_sample: bool = False) -> torch.Tensor:
    """Compute the mean of -log(1 - sigma(logit)), in a form that cannot overflow.

    Args:
        logits: `(batch, 1)` floating point.
        by_sample: keep what each row adds to the mean.

    Returns:
        Scalar: small where the discriminator takes the inputs for fakes; by sample `(batch,)`.
    """
    return _mean(softplus(logits), by_sample=by_sample)


def _mean(values: torch.Tensor, *, by_sample: bool) -> torch.Tensor:
    return values[:, 0] / len(values) if by_sample else values.mean()
