"""The triplet loss summed over all triples of a batch, without a tensor of batch^3 entries."""

from __future__ import annotations

import torch


def cosine_distances(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`max(0, 1 - cos)` of every row of one matrix with every row of the other.

    Args:
        left: `(n_left, bits)` floating point.
        right: `(n_right, bits)` floating point.

    Returns:
        `(n_left, n_right)`, in 0..2.
    """
    cosine = torch.nn.functional.normalize(left, dim=1) @ torch.nn.functional.normalize(right, dim=1).T
    return (1 - cosine).clamp_min(0)


def triplet_loss(distances: torch.Tensor, similar: torch.Tensor, *, margin: float = 0.3) -> torch.Tensor:
    """Sum of `max(0, d_ap - d_an + margin)` over all anchors a, similar p and dissimilar n.

    A triple counts while `d_an < d_ap + margin`. So the sum is linear in the distances, with integer
    coefficients: a positive counts once for each negative nearer than itself plus the margin, a negative
        counts minus once for each
    positive that it is nearer than. Both counts are places in sorted rows: O(batch^2 log batch) time,
    O(batch^2) memory, and the coefficients are also the gradient.

    Args:
        distances: `(n_anchor, n_other)` floating point.
        similar: `(n_anchor, n_other)` bool; an anchor's own partner is similar where they share a label.
        margin: how much farther than a positive a negative must be before the triple costs nothing.

    Returns:
        Scalar of the distances' dtype; 0 where no triple exists.

    Example:
        >>> import torch
        >>> distances = torch.tensor([[0.5, 0.6, 0.9]])
        >>> triplet_loss(distances, torch.tensor([[True, False, False]]), margin=0.25)
        tensor(0.1500)

    Source: Gu et al., ICMR 2019, the loss of the hash codes; unweighted sum as in the authors' program.
    """
    with torch.no_grad():
        bound = distances + margin
        positive = bound.masked_fill(~similar, -torch.inf)
        negative = distances.masked_fill(similar, torch.inf)
        nearer = torch.searchsorted(
            negative.sort(dim=1).values, positive
        )  # negatives nearer than each positive
        farther = torch.searchsorted(positive.sort(dim=1).values, negative, right=True)
        farther = distances.shape[1] - farther  # positives, with margin, farther than each negative
        coefficient = (nearer - farther).double()
        constant = margin * nearer.sum().double()
    # Large terms of both signs cancel here: sum in float64.
    return ((coefficient * distances.double()).sum() + constant).to(distances.dtype)


def triplet_losses(
    code_image: torch.Tensor, code_text: torch.Tensor, label: torch.Tensor, *, margin: float = 0.3
) -> dict[str, torch.Tensor]:
    """The two triplet losses, anchored at the images' codes and at the texts' codes.

    Args:
        code_image: `(batch, bits)`.
        code_text: `(batch, bits)`.
        label: `(batch, n_label)` of zeros and ones.
        margin: see `triplet_loss`.
    """
    distances = cosine_distances(code_image, code_text)  # (image, text)
    similar = (label @ label.T) > 0
    return {
        "triplet_image_to_text": triplet_loss(distances, similar, margin=margin),
        "triplet_text_to_image": triplet_loss(distances.T, similar, margin=margin),
    }
