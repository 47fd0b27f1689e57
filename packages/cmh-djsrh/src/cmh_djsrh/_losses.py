"""The losses of DJSRH: cosines of codes against the target similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_train import counted_pairs, similarity_loss
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


def similarity_losses(
    image_codes: torch.Tensor,
    text_codes: torch.Tensor,
    target: torch.Tensor,
    *,
    known: torch.Tensor | None = None,
    image_present: torch.Tensor | None = None,
    text_present: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Say how far the codes' cosines are from the target, as unweighted named losses.

    Args:
        image_codes: `(batch, bits)` floating point.
        text_codes: `(batch, bits)` floating point.
        target: `(batch, batch)` floating point, S.
        known: `(batch, batch)` bool, the pairs whose target counts; None: all, and all samples are present.
        image_present: `(batch,)` bool, given with `known`: a missing image takes no part.
        text_present: `(batch,)` bool, likewise.

    Returns:
        Scalars, `()` floating point: mean squared errors among images, `intra_image`, of images to texts,
        `cross`, and among texts, `intra_text`.

    Example:
        >>> import torch
        >>> code = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> losses = similarity_losses(code, -code, torch.eye(2))
        >>> {name: round(loss.item(), 3) for name, loss in losses.items()}
        {'intra_image': 0.0, 'cross': 2.0, 'intra_text': 0.0}
    """
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)  # B_I, B_T
    return {
        "intra_image": similarity_loss(
            image, image, target, counted_pairs(known, image_present, image_present)
        ),
        "cross": similarity_loss(image, text, target, counted_pairs(known, image_present, text_present)),
        "intra_text": similarity_loss(text, text, target, counted_pairs(known, text_present, text_present)),
    }


def total_loss(
    losses: Mapping[str, torch.Tensor], *, intra_image_weight: float = 0.1, intra_text_weight: float = 0.1
) -> torch.Tensor:
    """Return the weighted sum of the losses of `similarity_losses`.

    Args:
        losses: by name, scalars, `()` floating point.
        intra_image_weight: lambda 1.
        intra_text_weight: lambda 2.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> import torch
        >>> names = ["intra_image", "cross", "intra_text"]
        >>> round(total_loss(dict.fromkeys(names, torch.tensor(1.0))).item(), 3)
        1.2
    """
    return (
        intra_image_weight * losses["intra_image"]
        + losses["cross"]
        + intra_text_weight * losses["intra_text"]
    )
