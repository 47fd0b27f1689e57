"""The similarity that codes should have, per batch, from images and texts together."""

from __future__ import annotations

from typing import Literal

import torch
from cmh_train import affinity, binary_affinity, fuse_affinities, fuse_known_affinities

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
    text_similarity: TextSimilarity = "binary",
    similarity_enhancement: bool = False,
) -> torch.Tensor:
    """Return the target similarity S of a batch.

    A row of zeros, a missing image or text, has affinity -1 with everything, itself included.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_share: eta, weight of S_I = 2 cos - 1 of the images.
        text_share: beta, weight of S_T, the texts' affinity.
        joint_share: lambda, weight of the cosines between the rows of S_I and of S_T.
        scale: mu, factor of the whole.
        text_similarity: "binary": S_T = 2 sign(cos) - 1, as in the authors' program; "cosine": 2 cos - 1, as
            in the papers' figure.
        similarity_enhancement: spread the similarities with `enhance`, as in the papers' figure.

    Returns:
        `(batch, batch)` floating point, not symmetric. No gradient.

    Example:
        >>> image, text = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
        >>> joint_similarity(image, text, joint_share=0, scale=1).tolist()  # 0.5 S_I + 0.2 S_T
        [[0.699999988079071, -0.30000001192092896], [-0.30000001192092896, 0.699999988079071]]

    Source: Sensors 23(7):3439, 2023, and the authors' program.
    """
    similarity = fuse_affinities(
        affinity(image),
        text_affinity(text, text_similarity),
        image_share=image_share,
        text_share=text_share,
        joint_share=joint_share,
    )
    return scale * (enhance(similarity) if similarity_enhancement else similarity)


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
    text_similarity: TextSimilarity = "binary",
    similarity_enhancement: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the target similarity as far as it is known without the missing images and texts.

    See `cmh_train.fuse_known_affinities` for what counts of which pair.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_present: `(batch,)` bool.
        text_present: `(batch,)` bool.
        image_share: see `joint_similarity`, as the following.
        text_share: beta.
        joint_share: lambda.
        scale: mu.
        text_similarity: "binary" or "cosine".
        similarity_enhancement: with mean and extremes of the known similarities.

    Example:
        >>> present = torch.tensor([True, True])
        >>> _, known = joint_similarity_of_present(torch.eye(2), torch.eye(2), present, ~present)
        >>> known.all().item()  # the images alone
        True

    Returns:
        The similarity, `(batch, batch)` floating point, 0 where nothing is known of it, and where something
        is, `(batch, batch)` bool. No gradient.
    """
    similarity, known = fuse_known_affinities(
        affinity(image),
        text_affinity(text, text_similarity),
        image_present,
        text_present,
        image_share=image_share,
        text_share=text_share,
        joint_share=joint_share,
    )
    return scale * (enhance(similarity, known) if similarity_enhancement else similarity), known


def text_affinity(text: torch.Tensor, text_similarity: TextSimilarity) -> torch.Tensor:
    """Return S_T.

    Args:
        text: `(batch, width_text)` floating point.
        text_similarity: "binary" or "cosine", see `joint_similarity`.

    Returns:
        `(batch, batch)` floating point.

    Example:
        >>> text_affinity(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), "binary").tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return binary_affinity(text) if text_similarity == "binary" else affinity(text)


def enhance(similarity: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Spread similarities away from their mean, as in the papers' figure.

    Below the mean s becomes `s exp(-(mean - s) / (2 (mean - min)))`, above it `s exp((s - mean) / (max -
    mean))`.

    Args:
        similarity: `(batch, batch)` floating point.
        known: `(batch, batch)` bool: what mean, minimum and maximum are taken of; None: all.

    Returns:
        `(batch, batch)` floating point. Where all are equal nothing changes.

    Example:
        >>> enhance(torch.tensor([[-1.0, 0.0], [0.0, 1.0]])).tolist()
        [[-0.6065306663513184, 0.0], [0.0, 2.7182817459106445]]

    Source: a test file in the authors' repository; in their training program it is switched off.
    """
    if known is None:
        mean, least, most = similarity.mean(), similarity.amin(), similarity.amax()
    else:
        mean = (similarity * known).sum() / known.sum().clamp(min=1)
        least = torch.where(known, similarity, torch.inf).amin().clamp(max=mean)
        most = torch.where(known, similarity, -torch.inf).amax().clamp(min=mean)
    tiny = torch.finfo(similarity.dtype).tiny
    offset = similarity - mean
    below = (offset / (2 * (mean - least).clamp(min=tiny))).clamp(max=0)
    above = (offset / (most - mean).clamp(min=tiny)).clamp(min=0)
    return similarity * (below + above).clamp(-0.5, 1).exp()
