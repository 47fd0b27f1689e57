"""The losses of AGAH's networks and of its discriminators, unweighted."""

from __future__ import annotations

import torch
from cmh_train import gradient_penalty, triplet_hinge_sum
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity, normalize


def cosine_distances(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute `max(0, 1 - cos)` of every row of one matrix with every row of the other.

    Args:
        left: `(n_left, bits)` floating point.
        right: `(n_right, bits)` floating point.

    Returns:
        `(n_left, n_right)`, in 0..2.
    """
    cosine = normalize(left, dim=1) @ normalize(right, dim=1).T
    return (1 - cosine).clamp_min(0)


def triplet_losses(
    image_codes: torch.Tensor,
    text_codes: torch.Tensor,
    label: torch.Tensor,
    *,
    margin: float = 0.3,
    by_sample: bool = False,
) -> dict[str, torch.Tensor]:
    """Compute the two triplet losses, anchored at the images' codes and at the texts' codes.

    Each is the sum of `max(0, d_ap - d_an + margin)` over all anchors a, positives p that share a label with
    a (its own partner among them) and negatives n that share none.

    Args:
        image_codes: `(batch, bits)` floating point.
        text_codes: `(batch, bits)` floating point.
        label: `(batch, n_label)` of zeros and ones.
        margin: how much farther than a positive a negative must be before the triplet costs nothing.
        by_sample: keep the sum of each anchor.

    Returns:
        `triplet_image_to_text` and `triplet_text_to_image`, scalars; by sample `(batch,)`.

    Source: Gu et al., ICMR 2019, the loss of the hash codes; unweighted sum as in the authors' program.
    """
    distances = cosine_distances(image_codes, text_codes)  # (image, text)
    similar = label @ label.T > 0
    losses = triplet_hinge_sum(
        torch.stack((distances, distances.T)),
        similar.to(distances.dtype),
        ~similar,
        margin=margin,
        by_anchor=by_sample,
    )
    image_to_text, text_to_image = losses.unbind()
    return {"triplet_image_to_text": image_to_text, "triplet_text_to_image": text_to_image}


def cosine_quantisation_loss(code: torch.Tensor, *, by_sample: bool = False) -> torch.Tensor:
    """Compute `sum_i 1 / (1 + exp(cos(|h_i|, 1)))`: small when all entries of a code have the same magnitude.

    Args:
        code: `(batch, bits)` in -1..1.
        by_sample: keep the term of each row.

    Returns:
        Scalar; by sample `(batch,)`.
    """
    magnitude = code.abs()
    cosine = cosine_similarity(magnitude, torch.ones_like(magnitude), dim=1)
    terms = torch.sigmoid(-cosine)
    return terms if by_sample else terms.sum()


def classification_loss(logit: torch.Tensor, label: torch.Tensor, *, by_sample: bool = False) -> torch.Tensor:
    """Sum the binary cross entropies of all labels of all samples.

    Args:
        logit: `(batch, n_label)` floating point.
        label: `(batch, n_label)` of zeros and ones.
        by_sample: keep the sum of each row.

    Returns:
        Scalar; by sample `(batch,)`.
    """
    if by_sample:
        return binary_cross_entropy_with_logits(logit, label, reduction="none").sum(dim=1)
    return binary_cross_entropy_with_logits(logit, label, reduction="sum")


def label_code_loss(
    code: torch.Tensor, label_codes: torch.Tensor, label: torch.Tensor, *, by_sample: bool = False
) -> torch.Tensor:
    """Compute `sum (h C^T - bits (2 L - 1))^2`: codes agree with those of their labels, no others.

    Args:
        code: `(batch, bits)` in -1..1.
        label_codes: `(n_label, bits)` of signs.
        label: `(batch, n_label)` of zeros and ones.
        by_sample: keep the sum of each row.

    Returns:
        Scalar; by sample `(batch,)`.
    """
    target = code.shape[1] * (2 * label - 1)
    return (code @ label_codes.T - target).square().sum(1 if by_sample else None)


def quantisation_loss(code: torch.Tensor, *, by_sample: bool = False) -> torch.Tensor:
    """Compute `sum (h - sign h)^2`; the sign is a constant.

    Args:
        code: `(batch, bits)` in -1..1.
        by_sample: keep the sum of each row.

    Returns:
        Scalar; by sample `(batch,)`.
    """
    return (code - code.detach().sign()).square().sum(1 if by_sample else None)


def discriminator_losses(
    discriminator: torch.nn.Sequential, real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the Wasserstein loss `-mean D(real) + mean D(fake)` and the gradient penalty, both unweighted.

    Args:
        discriminator: the network D.
        real: `(batch, width)` without graph.
        fake: `(batch, width)` without graph.
        share: `(batch, width)` in 0..1, of the real feature in the points where gradients are taken. The
            authors draw a share for every entry, not for every sample.

    Returns:
        Loss and penalty, scalars.
    """
    score = discriminator(torch.cat((real, fake)))  # (2 * batch, 1)
    real_score, fake_score = score.chunk(2)
    return fake_score.mean() - real_score.mean(), gradient_penalty(
        discriminator, torch.lerp(fake, real, share)
    )
