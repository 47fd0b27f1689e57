"""Sums of hinges over all triplets of a batch, without a tensor of batch^3 entries."""

from __future__ import annotations

import torch


def triplet_hinge_sum(
    distances: torch.Tensor,
    weights: torch.Tensor,
    negative: torch.Tensor,
    *,
    margin: float,
    by_anchor: bool = False,
) -> torch.Tensor:
    """Sum `w_ap max(0, d_ap - d_an + margin)` over all anchors a, positives p and negatives n.

    A triplet counts while `d_an < d_ap + margin`, so the sum is linear in the distances between two changes
    of that order: a positive's coefficient is its weight times the number of negatives nearer than itself
    plus the margin; a negative's is minus the weights of those positives. Both are places in sorted rows:
    O(batch^2 log batch) time, O(batch^2) memory. The coefficients are also the gradient. They are summed in
    float64, because large terms of both signs cancel.

    Args:
        distances: `(..., n_anchor, n_other)` floating point.
        weights: `(n_anchor, n_other)` floating point `>= 0`: of the positives; 0 where a pair is none. All
            ones and zeros for an unweighted sum.
        negative: `(n_anchor, n_other)` bool. A pair may be neither positive nor negative.
        margin: how much farther than a positive a negative must be before the triplet costs nothing.
        by_anchor: sum over the triplets of each anchor alone.

    Returns:
        `(...,)` of the distances' dtype, one sum for each matrix of distances, or `(..., n_anchor)`; 0 where
        no triplet exists. A triplet exactly at the margin has no gradient.

    Example:
        >>> import torch
        >>> distances = torch.tensor([[0.5, 0.6, 0.9]])
        >>> triplet_hinge_sum(
        ...     distances,
        ...     weights=torch.tensor([[2.0, 0.0, 0.0]]),
        ...     negative=torch.tensor([[False, True, True]]),
        ...     margin=0.25,
        ... )
        tensor(0.3000)
    """
    summed = (-1,) if by_anchor else (-2, -1)
    with torch.no_grad():
        bound = distances + margin
        weights, negative = weights.expand_as(distances), negative.expand_as(distances)
        nearest = distances.masked_fill(~negative, torch.inf).sort(dim=-1).values
        pull = weights.double() * torch.searchsorted(nearest, bound)  # negatives nearer than each bound
        farthest = bound.masked_fill(weights == 0, -torch.inf).sort(dim=-1)
        from_here = weights.double().gather(-1, farthest.indices).flip(-1).cumsum(-1).flip(-1)
        from_here = torch.nn.functional.pad(from_here, (0, 1))  # weights of the bounds from each place on
        place = torch.searchsorted(farthest.values, distances.contiguous(), right=True)
        coefficient = pull - negative * from_here.gather(-1, place)
        constant = margin * pull.sum(dim=summed)
    return ((coefficient * distances.double()).sum(dim=summed) + constant).to(distances.dtype)
