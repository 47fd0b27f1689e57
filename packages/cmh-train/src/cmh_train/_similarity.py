"""Similarities of all pairs of a batch, made from features, and how far codes are from them.

The common ground of the unsupervised methods that descend from DJSRH and JDSH: their targets are weighted
sums of the images' affinity, the texts' affinity and a second-order one.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.nn.functional import normalize

#: "cosine": cosines between the rows of both affinities; "product": their product with rows of unit length.
SecondOrder = Literal["cosine", "product"]

_SHORTEST = 1e-12  # below it a row counts as zeros


def affinity(features: torch.Tensor) -> torch.Tensor:
    """Return `2 cos - 1` of all pairs of rows; a row of zeros has cosine 0 with everything, itself included.

    Args:
        features: `(batch, width)` floating point.

    Returns:
        `(batch, batch)` floating point in -3..1, for non-negative features in -1..1.

    Example:
        >>> affinity(torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]])).tolist()
        [[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]]
    """
    # Products first, lengths from their diagonal: the wide features are read once and copied never.
    products = features @ features.T
    length = products.diagonal().sqrt().clamp(min=_SHORTEST)
    return 2 * products / (length.unsqueeze(1) * length) - 1


def binary_affinity(features: torch.Tensor) -> torch.Tensor:
    """Return `2 sign(cos) - 1` of all pairs of rows: 1 where two bags of words share a word, -1 otherwise.

    Args:
        features: `(batch, width)` floating point; where it has negative entries, a negative cosine gives -3.

    Returns:
        `(batch, batch)` floating point: 1, -1 and -3.

    Example:
        >>> binary_affinity(torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])).tolist()
        [[1.0, 1.0, -1.0], [1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]]
    """
    return 2 * (features @ features.T).sign() - 1


def second_order_affinity(
    image_affinity: torch.Tensor, text_affinity: torch.Tensor, form: SecondOrder = "cosine"
) -> torch.Tensor:
    """Say of all pairs whether the image of one stands to all samples as the text of the other does.

    Args:
        image_affinity: `(batch, batch)` floating point, S_I.
        text_affinity: `(batch, batch)` floating point, S_T.
        form: "cosine": cosines of the rows of S_I with the rows of S_T; "product": their products, S_I S_T^T,
            with rows of unit length.

    Returns:
        `(batch, batch)` floating point in -1..1, in general not symmetric. A row of zeros stays zeros.

    Example:
        >>> second_order_affinity(torch.eye(2), torch.tensor([[3.0, 0.0], [0.0, 0.0]])).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    if form == "cosine":
        return normalize(image_affinity, dim=1) @ normalize(text_affinity, dim=1).T
    return normalize(image_affinity @ text_affinity.T, dim=1)


def fuse_affinities(
    image_affinity: torch.Tensor,
    text_affinity: torch.Tensor,
    *,
    image_share: float,
    text_share: float,
    joint_share: float,
    form: SecondOrder = "cosine",
) -> torch.Tensor:
    """Return the weighted sum of the images' affinity, the texts' affinity and the second-order one.

    Args:
        image_affinity: `(batch, batch)` floating point, S_I.
        text_affinity: `(batch, batch)` floating point, S_T, symmetric.
        image_share: weight of S_I.
        text_share: weight of S_T.
        joint_share: weight of the second-order affinity.
        form: see `second_order_affinity`.

    Returns:
        `(batch, batch)` floating point.

    Example:
        >>> shares = {"image_share": 0.5, "text_share": 0.25, "joint_share": 0.25}
        >>> fuse_affinities(torch.eye(2), torch.eye(2), **shares).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    joint = second_order_affinity(image_affinity, text_affinity, form)
    return image_share * image_affinity + text_share * text_affinity + joint_share * joint


def fuse_known_affinities(
    image_affinity: torch.Tensor,
    text_affinity: torch.Tensor,
    image_present: torch.Tensor,
    text_present: torch.Tensor,
    *,
    image_share: float,
    text_share: float,
    joint_share: float,
    form: SecondOrder = "cosine",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fuse as `fuse_affinities` does, but leave missing images and texts out.

    Of a pair (i, j) the images' affinity counts where both have an image, the texts' where both have a text;
    one of them alone gets the shares of both. Where neither counts nothing is known. The second-order one
    compares how i and j stand to the complete samples: i by its image if it has one, j by its text if it has
    one, each by what it has otherwise.

    Args:
        image_affinity: `(batch, batch)` floating point, S_I.
        text_affinity: `(batch, batch)` floating point, S_T, symmetric.
        image_present: `(batch,)` bool.
        text_present: `(batch,)` bool.
        image_share: weight of S_I.
        text_share: weight of S_T.
        joint_share: weight of the second-order affinity.
        form: see `second_order_affinity`.

    Returns:
        The similarity, `(batch, batch)` floating point, and where anything is known of it, `(batch, batch)`
        bool. It is 0 where nothing is known. Where nothing is missing, it is what `fuse_affinities` gives.

    Example:
        >>> shares = {"image_share": 0.5, "text_share": 0.5, "joint_share": 0.0}
        >>> similarity, known = fuse_known_affinities(
        ...     torch.ones(2, 2), torch.full((2, 2), -1.0),
        ...     torch.tensor([True, True]), torch.tensor([True, False]), **shares)
        >>> similarity.tolist()
        [[0.0, 1.0], [1.0, 1.0]]
    """
    direct, known = weigh_known_affinities(
        image_affinity,
        text_affinity,
        image_present,
        text_present,
        image_share=image_share,
        text_share=text_share,
    )
    present = (image_present | text_present).unsqueeze(1)
    columns = (image_present & text_present & present).to(image_affinity)  # (batch, batch)
    # How a sample stands to the complete ones; what is missing in a row is what the other modality says.
    by_image = torch.where(image_present.unsqueeze(1), image_affinity, text_affinity) * columns
    by_text = torch.where(text_present.unsqueeze(1), text_affinity, image_affinity) * columns
    joint = second_order_affinity(by_image, by_text, form)
    return torch.where(known, direct + joint_share * joint, 0.0), known


def weigh_known_affinities(
    image_affinity: torch.Tensor,
    text_affinity: torch.Tensor,
    image_present: torch.Tensor,
    text_present: torch.Tensor,
    *,
    image_share: float,
    text_share: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted sum of the images' and the texts' affinity, missing images and texts left out.

    Of a pair the images' affinity counts where both have an image, the texts' where both have a text; one of
    them alone gets the shares of both.

    Args:
        image_affinity: `(batch, batch)` floating point, S_I.
        text_affinity: `(batch, batch)` floating point, S_T.
        image_present: `(batch,)` bool.
        text_present: `(batch,)` bool.
        image_share: weight of S_I.
        text_share: weight of S_T.

    Returns:
        The sum, `(batch, batch)` floating point, and where anything is known of it, `(batch, batch)` bool. It
        is 0 where nothing is known.

    Example:
        >>> present = torch.tensor([True, True])
        >>> weigh_known_affinities(
        ...     torch.ones(2, 2), torch.eye(2), present, ~present, image_share=0.5, text_share=0.25
        ... )[0].tolist()
        [[0.75, 0.75], [0.75, 0.75]]
    """
    image, text = image_present.to(image_affinity), text_present.to(image_affinity)  # (batch,)
    of_images, of_texts = image_share * torch.outer(image, image), text_share * torch.outer(text, text)
    weight = of_images + of_texts  # (batch, batch)
    direct = (of_images * image_affinity + of_texts * text_affinity) / weight.clamp(min=_SHORTEST)
    return (image_share + text_share) * direct, weight > 0


def similarity_loss(
    left: torch.Tensor, right: torch.Tensor, target: torch.Tensor, counted: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean of `(left right^T - target)^2` over all pairs of rows, or over those that count.

    Args:
        left: `(batch, bits)` floating point codes, rows of unit length where cosines are meant.
        right: `(batch, bits)` floating point, likewise.
        target: `(batch, batch)` floating point, for row i of `left` and row j of `right`.
        counted: `(batch, batch)` bool; None: all. Where no pair counts the loss is 0.

    Returns:
        A scalar, `()` floating point, with a gradient.

    Example:
        >>> similarity_loss(torch.eye(2), torch.eye(2), torch.ones(2, 2)).item()
        0.5
        >>> similarity_loss(torch.eye(2), torch.eye(2), torch.ones(2, 2), torch.eye(2) > 0).item()
        0.0
    """
    loss: torch.Tensor = _SimilarityLoss.apply(left, right, target, counted)
    return loss


class _SimilarityLoss(torch.autograd.Function):
    """The loss and, at once, its gradients, so that no matrix of pairs waits for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,  # torch's context, which has no public type
        left: torch.Tensor,
        right: torch.Tensor,
        target: torch.Tensor,
        counted: torch.Tensor | None,
    ) -> torch.Tensor:
        error = torch.addmm(target, left, right.T, beta=-1)  # (batch, batch)
        n_pair: int | torch.Tensor = error.numel()
        if counted is not None:
            error *= counted
            n_pair = counted.sum().clamp(min=1)
        of_left = 2 * (error @ right) / n_pair if ctx.needs_input_grad[0] else None
        of_right = 2 * (error.T @ left) / n_pair if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(of_left, of_right)
        return error.square_().sum() / n_pair

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        of_left, of_right = ctx.saved_tensors
        return (
            None if of_left is None else gradient * of_left,
            None if of_right is None else gradient * of_right,
            None,
            None,
        )


def counted_pairs(
    known: torch.Tensor | None, left_present: torch.Tensor | None, right_present: torch.Tensor | None
) -> torch.Tensor | None:
    """Say which pairs count in `similarity_loss`: what is known, and both are there.

    Args:
        known: `(batch, batch)` bool, pairs whose target is known; None: nothing is left out.
        left_present: `(batch,)` bool, of the rows; needed with `known`.
        right_present: `(batch,)` bool, of the columns.

    Returns:
        `(batch, batch)` bool; None: all.

    Example:
        >>> known = torch.tensor([[True, True], [True, False]])
        >>> counted_pairs(known, torch.tensor([True, True]), torch.tensor([False, True])).tolist()
        [[False, True], [False, False]]
    """
    if known is None:
        return None
    assert left_present is not None
    assert right_present is not None
    return known & left_present.unsqueeze(1) & right_present
