"""The losses of DCHMT: squared distances of like samples, and a margin for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping


def distance_losses(
    image_choices: torch.Tensor,
    text_choices: torch.Tensor,
    similar: torch.Tensor,
    *,
    margin_share: float = 0.75,
) -> dict[str, torch.Tensor]:
    """Pull samples together that share a label, and push others apart, inside and across modalities.

    Args:
        image_choices: `(batch, 2 * bits)` floating point, what `SelectingHash` gives.
        text_choices: `(batch, 2 * bits)` floating point.
        similar: `(batch, batch)` floating point, 1 where two samples share a label, 0 elsewhere: S.
        margin_share: vartheta; the margin is `sqrt(2 * bits * vartheta)`.

    Returns:
        Scalars, `()` floating point, means over all entries. `similar_image_text`: squared distances where S
        is 1; `dissimilar_image_text`: squares of what distances lack to the margin where S is 0; likewise
        `..._image` and `..._text`. A distance of 0 has the gradient 0, as in `torch.cdist`.

    Example:
        >>> choices = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # one bit: 0 and 1, sqrt(2) apart
        >>> losses = distance_losses(choices, choices, torch.eye(2), margin_share=1.0)
        >>> [round(loss.item(), 3) for loss in losses.values()]
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    margin = (image_choices.shape[1] * margin_share) ** 0.5
    losses = {}
    for name, first, second in (
        ("image_text", image_choices, text_choices),
        ("image", image_choices, image_choices),
        ("text", text_choices, text_choices),
    ):
        # By products of matrices the distance of a sample to itself would be a rounding error.
        distance = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
        losses[f"similar_{name}"] = (similar * distance.square()).mean()
        losses[f"dissimilar_{name}"] = ((1 - similar) * torch.relu(margin - distance).square()).mean()
    return losses


def total_loss(losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the losses of `distance_losses`.

    Args:
        losses: by name, scalars, `()` floating point.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> total_loss({"similar_image": torch.tensor(1.0), "dissimilar_image": torch.tensor(2.0)}).item()
        3.0
    """
    return torch.stack(tuple(losses.values())).sum()
