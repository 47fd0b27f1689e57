"""The closed-form update of the discrete codes."""

from __future__ import annotations

import torch


def project_labels(label: torch.Tensor, codes: torch.Tensor, ridge: float) -> torch.Tensor:
    """Regress codes on labels: P = (L^T L + ridge I)^-1 L^T B.

    Args:
        label: `(n, n_label)` floating point zeros and ones.
        codes: `(n, bits)` floating point.
        ridge: `> 0`.

    Returns:
        `(n_label, bits)`.
    """
    gram = label.T @ label
    gram.diagonal().add_(ridge)
    # The ridge makes it positive definite; cholesky_ex does not wait for the device to say so.
    return torch.cholesky_solve(label.T @ codes, torch.linalg.cholesky_ex(gram).L)


def signs(values: torch.Tensor) -> torch.Tensor:
    """Return -1 or 1 for every entry; 0 counts as 1.

    Args:
        values: any shape, floating point.

    Returns:
        The same shape and dtype.
    """
    return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)
