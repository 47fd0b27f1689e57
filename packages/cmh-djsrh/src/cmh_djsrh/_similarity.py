"""The similarity that codes should have, per batch, from images and texts together."""

from __future__ import annotations

import torch
from cmh_train import affinity, weigh_known_affinities


@torch.no_grad()
def joint_similarity(
    image: torch.Tensor,
    text: torch.Tensor,
    *,
    image_share: float = 0.9,
    joint_share: float = 0.4,
    scale: float = 1.5,
) -> torch.Tensor:
    """Return the target similarity S of a batch.

    A row of zeros, a missing image or text, has affinity -1 with everything, itself included.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_share: beta, share of S_I = 2 cos - 1 of the images in the joint affinity S~; that of the texts
            has the rest.
        joint_share: eta, share of the second-order affinity S~ S~ / batch; S~ has the rest.
        scale: mu, factor of the whole.

    Returns:
        `(batch, batch)` floating point, symmetric. No gradient.

    Example:
        >>> joint_similarity(torch.eye(2), torch.eye(2), joint_share=0.5, scale=1).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]

    Source: Su, Zhong, Zhang, ICCV 2019, joint-semantics affinity matrix; the authors' program.
    """
    joint = image_share * affinity(image) + (1 - image_share) * affinity(text)  # S~
    return scale * ((1 - joint_share) * joint + joint_share / len(joint) * joint @ joint.T)


@torch.no_grad()
def joint_similarity_of_present(
    image: torch.Tensor,
    text: torch.Tensor,
    image_present: torch.Tensor,
    text_present: torch.Tensor,
    *,
    image_share: float = 0.9,
    joint_share: float = 0.4,
    scale: float = 1.5,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the target similarity as far as it is known without the missing images and texts.

    Of a pair S_I counts where both have an image, S_T where both have a text; one of them alone gets the
    shares of both. The second-order affinity is the mean over the samples whose affinity with both is known.

    Args:
        image: `(batch, width_image)` floating point.
        text: `(batch, width_text)` floating point.
        image_present: `(batch,)` bool.
        text_present: `(batch,)` bool.
        image_share: beta, see `joint_similarity`.
        joint_share: eta.
        scale: mu.

    Returns:
        The similarity, `(batch, batch)` floating point, 0 where nothing is known of it, and where something
        is, `(batch, batch)` bool. No gradient.

    Example:
        >>> present = torch.tensor([True, True])
        >>> _, known = joint_similarity_of_present(torch.eye(2), torch.eye(2), present, ~present)
        >>> known.all().item()  # the images alone
        True
    """
    joint, known = weigh_known_affinities(
        affinity(image),
        affinity(text),
        image_present,
        text_present,
        image_share=image_share,
        text_share=1 - image_share,
    )
    certain = known.to(joint)
    second_order = joint @ joint.T / (certain @ certain.T).clamp(min=1)
    return scale * certain * ((1 - joint_share) * joint + joint_share * second_order), known
