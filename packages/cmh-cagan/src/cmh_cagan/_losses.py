"""The losses of CAGAN: cosines of codes against the target similarity."""

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
    image_graph_codes: torch.Tensor,
    text_graph_codes: torch.Tensor,
    target: torch.Tensor,
    *,
    text_graph_code: bool = False,
    known: torch.Tensor | None = None,
    image_present: torch.Tensor | None = None,
    text_present: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Say how far the codes' cosines are from the target, as unweighted named losses.

    Args:
        image_codes: `(batch, bits)` floating point.
        text_codes: `(batch, bits)` floating point.
        image_graph_codes: `(batch, bits)` floating point, of the images' graph network.
        text_graph_codes: `(batch, bits)` floating point, of the texts' graph network.
        target: `(batch, batch)` floating point, S.
        text_graph_code: compare the texts' codes with their own graph codes and not with the images', as the
            authors' program does.
        known: `(batch, batch)` bool, the pairs whose target counts; None: all, and all samples are present.
        image_present: `(batch,)` bool, given with `known`: a missing image takes no part.
        text_present: `(batch,)` bool, likewise.

    Returns:
        Scalars, `()` floating point. `intra_image`, `intra_text`: mean squared errors inside a modality;
        `cross`: those of image to text and text to image, added; `pair`: minus the mean cosine of partners;
        `graph`: image graph codes to text graph codes; `graph_image`, `graph_text`: graph codes to codes.

    Example:
        >>> import torch
        >>> code = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> losses = similarity_losses(code, code, code, code, torch.eye(2))
        >>> {name: round(losses[name].item(), 3) for name in ("intra_image", "pair")}  # a perfect fit
        {'intra_image': 0.0, 'pair': -1.0}
    """
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)  # B_I, B_T
    graph_image = normalize(image_graph_codes, dim=1)  # G_I
    graph_text = normalize(text_graph_codes, dim=1)  # G_T
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
    cross = similarity_loss(image, text, target, both) + similarity_loss(text, image, target, swapped)
    graph_of_text, counted = (graph_text, of_texts) if text_graph_code else (graph_image, both)
    return {
        "intra_image": similarity_loss(image, image, target, of_images),
        "intra_text": similarity_loss(text, text, target, of_texts),
        "cross": cross,
        "pair": pair,
        "graph": similarity_loss(graph_image, graph_text, target, both),
        "graph_image": similarity_loss(graph_image, image, target, of_images),
        "graph_text": similarity_loss(graph_of_text, text, target, counted),
    }


def total_loss(
    losses: Mapping[str, torch.Tensor],
    *,
    intra_weight: float = 0.1,
    cross_weight: float = 1.0,
    graph_weight: float = 0.15,
) -> torch.Tensor:
    """Return the weighted sum of the losses of `similarity_losses`.

    Args:
        losses: by name, scalars, `()` floating point.
        intra_weight: delta, of `intra_image` and `intra_text`.
        cross_weight: epsilon, of `cross`, `pair` and `graph`.
        graph_weight: phi, of `graph_image` and `graph_text`.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> import torch
        >>> names = ["intra_image", "intra_text", "cross", "pair", "graph", "graph_image", "graph_text"]
        >>> round(total_loss(dict.fromkeys(names, torch.tensor(1.0))).item(), 3)
        3.5
    """
    return (
        intra_weight * (losses["intra_image"] + losses["intra_text"])
        + cross_weight * (losses["cross"] + losses["pair"] + losses["graph"])
        + graph_weight * (losses["graph_image"] + losses["graph_text"])
    )
