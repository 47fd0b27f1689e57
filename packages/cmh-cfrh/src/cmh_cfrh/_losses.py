"""The losses of CFRH: cosines of codes against the fused affinity, and decoded codes against features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_train import counted_pairs, similarity_loss
from torch.nn.functional import mse_loss, normalize

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
        Scalars, `()` floating point. `intra_image`, `intra_text`: mean squared errors inside a modality;
        `cross`: those of image to text and text to image, added; `pair`: minus the mean cosine of partners.

    Example:
        >>> import torch
        >>> code = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> losses = similarity_losses(code, code, torch.eye(2))
        >>> {name: round(loss.item(), 3) for name, loss in losses.items()}
        {'intra_image': 0.0, 'intra_text': 0.0, 'cross': 0.0, 'pair': -1.0}
    """
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)  # B_I, B_T
    of_images = counted_pairs(known, image_present, image_present)
    of_texts = counted_pairs(known, text_present, text_present)
    both = counted_pairs(known, image_present, text_present)  # images in rows, texts in columns
    swapped = counted_pairs(known, text_present, image_present)
    cosine = (image * text).sum(dim=1)
    if known is None:
        pair = -cosine.mean()
    else:
        assert image_present is not None
        assert text_present is not None
        complete = image_present & text_present
        pair = -(cosine * complete).sum() / complete.sum().clamp(min=1)
    return {
        "intra_image": similarity_loss(image, image, target, of_images),
        "intra_text": similarity_loss(text, text, target, of_texts),
        "cross": similarity_loss(image, text, target, both) + similarity_loss(text, image, target, swapped),
        "pair": pair,
    }


def reconstruction_loss(
    decoded: torch.Tensor, target: torch.Tensor, present: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean squared error of decoded codes, over all entries of the present samples.

    Args:
        decoded: `(batch, width)` floating point.
        target: `(batch, width)` floating point, what they should be: features, usually of unit length.
        present: `(batch,)` bool; None: all. Where none is present the loss is 0.

    Returns:
        A scalar, `()` floating point, with a gradient.

    Example:
        >>> import torch
        >>> reconstruction_loss(torch.zeros(2, 2), torch.tensor([[2.0, 0.0], [9.0, 9.0]]),
        ...                     torch.tensor([True, False])).item()
        2.0
    """
    if present is None:
        return mse_loss(decoded, target)
    squares = (decoded - target).square().mean(dim=1)  # (batch,)
    return (squares * present).sum() / present.sum().clamp(min=1)


def total_loss(
    losses: Mapping[str, torch.Tensor],
    *,
    intra_weight: float = 0.1,
    cross_weight: float = 1.0,
    pair_weight: float = 1.0,
    reconstruction_weight: float = 1.0,
) -> torch.Tensor:
    """Return the weighted sum of all losses.

    Args:
        losses: those of `similarity_losses`, and `reconstruction_image` and `reconstruction_text`;
            scalars, `()` floating point.
        intra_weight: of `intra_image` and `intra_text`.
        cross_weight: of `cross` and `pair`.
        pair_weight: of `pair`, besides.
        reconstruction_weight: of the reconstructions.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> import torch
        >>> names = ["intra_image", "intra_text", "cross", "pair"]
        >>> names += ["reconstruction_image", "reconstruction_text"]
        >>> round(total_loss(dict.fromkeys(names, torch.tensor(1.0))).item(), 3)
        4.2
    """
    # The authors' main program has the keys delte, phi and lamb for these three; which is which is unknown.
    return (
        intra_weight * (losses["intra_image"] + losses["intra_text"])
        + cross_weight * (losses["cross"] + pair_weight * losses["pair"])
        + reconstruction_weight * (losses["reconstruction_image"] + losses["reconstruction_text"])
    )
