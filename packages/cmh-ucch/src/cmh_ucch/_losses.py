"""The losses of UCCH: contrast with keys, in the batch or in the memory, and ranking in the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEVER = -1e4  # of a key that does not count: far below any product, and finite where none counts


def memory_contrast(
    codes: torch.Tensor,
    memory: torch.Tensor,
    positives: torch.Tensor,
    negatives: torch.Tensor,
    *,
    temperature: float,
    present: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return how well codes find the key of their own sample among keys of others, by cross-entropy.

    Keys are signs of the memory.

    Args:
        codes: `(batch, bits)` floating point of unit length, of one modality.
        memory: `(n_train, bits)` floating point, v.
        positives: `(batch,)` int64, rows of the memory that belong to the samples.
        negatives: `(batch, K)` int64, rows of the memory to compare with.
        temperature: tau, divides the products.
        present: `(batch,)` bool, samples that count; None: all. Where none counts the loss is 0.

    Returns:
        The mean over the samples, `()` floating point.

    Example:
        >>> memory = torch.tensor([[0.6, 0.8], [-0.6, 0.8]])
        >>> codes = torch.tensor([[1.0, 1.0]])
        >>> loss = memory_contrast(
        ...     codes, memory, torch.tensor([0]), torch.tensor([[1, 1]]), temperature=1.0
        ... )
        >>> round(loss.item(), 4)  # log(1 + 2 exp(-2))
        0.2395

    Source: Hu et al., TPAMI 2023; the authors' program.
    """
    # Products with the whole memory, then a choice of them: the keys of every sample would be a cube.
    products = codes @ memory.sign().T / temperature  # (batch, n_train)
    chosen = products.gather(1, torch.cat((positives.unsqueeze(1), negatives), dim=1))  # (batch, 1 + K)
    return _mean(chosen.logsumexp(dim=1) - chosen[:, 0], present)


def batch_contrast(
    codes: torch.Tensor,
    mean_codes: torch.Tensor,
    *,
    temperature: float,
    present: torch.Tensor | None = None,
    keys_present: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return how well codes find their own sample's key among those of the batch, by cross-entropy.

    Args:
        codes: `(batch, bits)` floating point of unit length, of one modality.
        mean_codes: `(batch, bits)` floating point, whose signs are the keys; no gradient.
        temperature: tau, divides the products.
        present: `(batch,)` bool, samples that count; None: all. Where none counts the loss is 0.
        keys_present: `(batch,)` bool, keys that count; None: all.

    Returns:
        The mean over the samples, `()` floating point.

    Example:
        >>> codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> round(batch_contrast(codes, codes, temperature=1.0).item(), 4)  # log(1 + exp(-1))
        0.3133
    """
    products = codes @ mean_codes.detach().sign().T / temperature  # (batch, batch)
    if keys_present is not None:
        products = products.masked_fill(~keys_present, _NEVER)
    own = torch.arange(len(codes), device=codes.device)
    return _mean(cross_entropy(products, own, reduction="none"), present)


def ranking_loss(
    image_codes: torch.Tensor,
    text_codes: torch.Tensor,
    *,
    margin: float,
    shift: float,
    image_present: torch.Tensor | None = None,
    text_present: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return how far partners are from being the nearest in the batch, in both directions, added.

    Products of others that are below the partners' by more than the margin are lowered by `shift`, so that
    they hardly count.

    Args:
        image_codes: `(batch, bits)` floating point of unit length.
        text_codes: `(batch, bits)` floating point of unit length.
        margin: m.
        shift: what far negatives lose.
        image_present: `(batch,)` bool; None: all. Only complete samples are anchors, and what is missing is
            no negative. Where no sample is complete the loss is 0.
        text_present: `(batch,)` bool, likewise.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> round(ranking_loss(torch.eye(2), torch.eye(2), margin=0.2, shift=100.0).item(), 4)  # 2 margin
        0.4

    Source: Hu et al., TPAMI 2023, cross-modal ranking learning; the authors' program.
    """
    products = image_codes @ text_codes.T  # C, images in rows
    complete = None if image_present is None or text_present is None else image_present & text_present
    return _rank(products, text_present, complete, margin, shift) + _rank(
        products.T, image_present, complete, margin, shift
    )


def _rank(
    products: torch.Tensor,
    columns: torch.Tensor | None,
    anchors: torch.Tensor | None,
    margin: float,
    shift: float,
) -> torch.Tensor:
    own = products.diagonal()
    far = products.detach() < own.detach().unsqueeze(1) - margin
    shifted = torch.where(far, products - shift, products)
    if columns is not None:
        shifted = shifted.masked_fill(~columns, _NEVER)
    return _mean(shifted.logsumexp(dim=1) - own + margin, anchors)


def _mean(values: torch.Tensor, counted: torch.Tensor | None) -> torch.Tensor:
    if counted is None:
        return values.mean()
    return (values * counted).sum() / counted.sum().clamp(min=1)


def total_loss(losses: Mapping[str, torch.Tensor], *, contrast_weight: float = 0.7) -> torch.Tensor:
    """Return the weighted sum of all losses.

    Args:
        losses: `contrast_image`, `contrast_text` and `ranking`; scalars, `()` floating point.
        contrast_weight: alpha, of the contrasts; ranking has the rest.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> names = ["contrast_image", "contrast_text", "ranking"]
        >>> round(total_loss(dict.fromkeys(names, torch.tensor(1.0))).item(), 3)
        1.7
    """
    contrast = losses["contrast_image"] + losses["contrast_text"]
    return contrast_weight * contrast + (1 - contrast_weight) * losses["ranking"]
