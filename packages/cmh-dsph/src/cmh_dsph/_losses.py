"""The losses of DSPH: cosines of codes with the proxies of labels, and with codes that share no label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from collections.abc import Mapping


def proxy_loss(
    codes: torch.Tensor, proxies: torch.Tensor, label: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Pull codes to the proxies of their labels, and push them off others that are too much alike.

    Args:
        codes: `(batch, bits)` floating point.
        proxies: `(n_label, bits)` floating point.
        label: `(batch, n_label)` floating point zeros and ones.
        threshold: cosine up to which a proxy of another label is left alone.

    Returns:
        A scalar, `()` floating point: the mean of `1 - cosine` over the labels that samples have, plus the
        mean of what cosines exceed the threshold by over those they lack. A mean over nothing is 0.

    Example:
        >>> codes = torch.tensor([[1.0, 0.0]])
        >>> proxies = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
        >>> proxy_loss(codes, proxies, torch.tensor([[1.0, 0.0]]), 0.25).item()
        0.75
    """
    cosine = normalize(codes, dim=1) @ normalize(proxies, dim=1).T  # (batch, n_label)
    pull = ((1 - cosine) * label).sum() / label.sum().clamp(min=1)
    push = (torch.relu(cosine - threshold) * (1 - label)).sum() / (1 - label).sum().clamp(min=1)
    return pull + push


def separation_loss(
    image_codes: torch.Tensor, text_codes: torch.Tensor, label: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Push codes of samples apart that share no label, of samples with more than one label only.

    Args:
        image_codes: `(batch, bits)` floating point.
        text_codes: `(batch, bits)` floating point.
        label: `(batch, n_label)` floating point zeros and ones.
        threshold: cosine up to which two codes are left alone.

    Returns:
        A scalar, `()` floating point: what cosines of images, of texts, and of images with texts exceed the
        threshold by, summed over the ordered pairs and divided by their number; 0 where there is none.

    Example:
        >>> codes = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> label = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
        >>> separation_loss(codes, codes, label, 0.5).item()
        1.5
    """
    several = label.sum(dim=1) > 1
    apart = ((label @ label.T == 0) & several.unsqueeze(1) & several).to(label.dtype)  # (batch, batch)
    image, text = normalize(image_codes, dim=1), normalize(text_codes, dim=1)
    excess = sum(
        (torch.relu(first @ second.T - threshold) * apart).sum()
        for first, second in ((image, image), (text, text), (image, text))
    )
    return excess / apart.sum().clamp(min=1)


def total_loss(losses: Mapping[str, torch.Tensor], *, separation_weight: float = 0.8) -> torch.Tensor:
    """Return the weighted sum of the losses.

    Args:
        losses: by name, scalars, `()` floating point: `proxy_image`, `proxy_text`, `separation`.
        separation_weight: alpha.

    Returns:
        A scalar, `()` floating point.

    Example:
        >>> names = ["proxy_image", "proxy_text", "separation"]
        >>> round(total_loss(dict.fromkeys(names, torch.tensor(1.0))).item(), 3)
        2.8
    """
    return losses["proxy_image"] + losses["proxy_text"] + separation_weight * losses["separation"]
