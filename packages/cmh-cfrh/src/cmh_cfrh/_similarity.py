"""The similarity that codes should have, per batch, from images and texts together."""

from __future__ import annotations

from typing import Literal

import torch
from cmh_train import SecondOrder, affinity, binary_affinity, fuse_affinities, fuse_known_affinities

TextSimilarity = Literal["binary", "cosine"]


@torch.no_grad()
def joint_similarity(
    image: torch.Tensor,
    text: torch.Tensor,
    *,
    image_share: float = 0.5,
    text_share: float = 0.2,
    joint_share: float = 0.3,
    scale: float = 1.4,
    text_similarity: TextSimilarity = "cosine",
    second_order: SecondOrder = "product",
) -> torch.Tensor:
    """Return the fused affinity S of a batch.

    A row of zeros, a missing image or text, has affinity -1 with everything, itself included.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_share: beta, weight of S_I = 2 cos - 1 of the images.
        text_share: gamma, weight of S_T, the texts' affinity.
        joint_share: eta, weight of the second-order affinity.
        scale: mu, factor of the whole.
        text_similarity: "cosine": S_T = 2 cos - 1; "binary": 2 sign(cos) - 1.
        second_order: "product": S_I S_T with rows of unit length; "cosine": cosines between the rows of S_I
            and of S_T.

    Returns:
        `(batch, batch)` floating point, not symmetric. No gradient.

    Example:
        >>> image, text = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> joint_similarity(image, text, image_share=1, text_share=1, joint_share=0, scale=1).tolist()
        [[2.0, 0.0], [0.0, 2.0]]

    Source: Li et al., IJMIR 2023, abstract and figure; the form of the third term is inferred.
    """
    return scale * fuse_affinities(
        affinity(image),
        text_affinity(text, text_similarity),
        image_share=image_share,
        text_share=text_share,
        joint_share=joint_share,
        form=second_order,
    )


@torch.no_grad()
def joint_similarity_of_present(
    image: torch.Tensor,
    text: torch.Tensor,
    image_present: torch.Tensor,
    text_present: torch.Tensor,
    *,
    image_share: float = 0.5,
    text_share: float = 0.2,
    joint_share: float = 0.3,
    scale: float = 1.4,
    text_similarity: TextSimilarity = "cosine",
    second_order: SecondOrder = "product",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the fused affinity as far as it is known without the missing images and texts.

    See `cmh_train.fuse_known_affinities` for what counts of which pair.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_present: `(batch,)` bool.
        text_present: `(batch,)` bool.
        image_share: see `joint_similarity`, as the following.
        text_share: gamma.
        joint_share: eta.
        scale: mu.
        text_similarity: "cosine" or "binary".
        second_order: "product" or "cosine".

    Returns:
        The similarity, `(batch, batch)` floating point, 0 where nothing is known of it, and where something
        is, `(batch, batch)` bool. No gradient.

    Example:
        >>> present = torch.tensor([True, True])
        >>> _, known = joint_similarity_of_present(torch.eye(2), torch.eye(2), present, ~present)
        >>> known.all().item()  # the images alone
        True
    """
    similarity, known = fuse_known_affinities(
        affinity(image),
        text_affinity(text, text_similarity),
        image_present,
        text_present,
        image_share=image_share,
        text_share=text_share,
        joint_share=joint_share,
        form=second_order,
    )
    return scale * similarity, known


def text_affinity(text: torch.Tensor, text_similarity: TextSimilarity) -> torch.Tensor:
    """Return S_T.

    Args:
        text: `(batch, width_text)` floating point.
        text_similarity: "cosine" or "binary", see `joint_similarity`.

    Returns:
        `(batch, batch)` floating point.

    Example:
        >>> text_affinity(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), "binary").tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return binary_affinity(text) if text_similarity == "binary" else affinity(text)
