"""The similarity that codes should have: joint over images and texts, per batch."""

from __future__ import annotations

from typing import Literal

import torch
from cmh_train import affinity, second_order_affinity

Variant = Literal["umml2022", "sigir2020"]


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
        both = second_order_affinity(image_affinity, text_affinity, "cosine")
        both = (both + both.T) / 2
    else:
        both = second_order_affinity(image_affinity, text_affinity, "product")
    return image_share * image_affinity + text_share * text_affinity + joint_share * both
