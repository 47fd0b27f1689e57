"""The norm of a batch of features."""

from __future__ import annotations

import torch


def frobenius_norm(features: torch.Tensor) -> torch.Tensor:
    """Compute the Frobenius norm of a whole batch, as a divisor: without gradient and never 0.

    Args:
        features: `(batch, width)` floating point.

    Returns:
        Scalar `()` of the same dtype; the smallest positive normal number for a batch of zeros.

    Example:
        >>> frobenius_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]])).item()
        5.0
    """
    norm: torch.Tensor = torch.linalg.vector_norm(features.detach())
    return norm.clamp_min(torch.finfo(norm.dtype).tiny)
