"""The similarity that codes should have: joint over images and texts, per batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.functional import normalize

Variant = Literal["umml2022", "sigir2020"]

_SHORTEST = 1e-12  # below it a row counts as zeros


def affinity(features: torch.Tensor) -> torch.Tensor:
    """`2 cos - 1` of all pairs of rows; a row of zeros has cosine 0 with everything, itself included.

    Args:
        features: `(batch, width)` floating point.

    Returns:
        `(batch, batch)` in -3..1, for non-negative features in -1..1.
    """
    # Products first, lengths from their diagonal: the wide features are read once and copied never.
    products = features @ features.T
    length = products.diagonal().sqrt().clamp(min=_SHORTEST)
    return 2 * products / (length.unsqueeze(1) * length) - 1


@torch.no_grad()
def joint_similarity(
    image: torch.Tensor,
    text: torch.Tensor,
    *,
    image_share: float,
    text_share: float,
    joint_share: float,
    variant: Variant = "umml2022",
) -> torch.Tensor:
    """Weighted sum of the images' affinity, the texts' affinity and a second-order one.

    The third says whether two samples stand alike to all others; it is the product of both affinities: with
    rows of unit length and symmetrised ("umml2022"), or with the product's rows of unit length ("sigir2020").

    Args:
        image: `(batch, width_image)` features.
        text: `(batch, width_text)` features.
        image_share: alpha.
        text_share: beta.
        joint_share: lambda.
        variant: which program's product.

    Returns:
        S', `(batch, batch)`, symmetric in variant umml2022. No gradient.

    Source: Liu et al., SIGIR 2020, joint-modal similarity matrix.
    """
    image_affinity, text_affinity = affinity(image), affinity(text)  # S_I, S_T
    if variant == "umml2022":
        both = normalize(image_affinity, dim=1) @ normalize(text_affinity, dim=1).T
        both = (both + both.T) / 2
    else:
        both = normalize(image_affinity @ text_affinity, dim=1)
    return image_share * image_affinity + text_share * text_affinity + joint_share * both
