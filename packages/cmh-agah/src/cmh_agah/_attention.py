"""From trunk features to attended features: whole-batch normalisation and attention over the label memory."""

from __future__ import annotations

import torch
from cmh_train import frobenius_norm


def normalise_batch(features: torch.Tensor, norm: torch.Tensor | None = None) -> torch.Tensor:
    """Divide all features by one number, through which no gradient flows.

    Every code therefore depends on the other samples of its batch, in training and in use: a smaller batch
    has a smaller norm and larger features. This is what the authors' program does.

    Args:
        features: `(batch, width)` floating point.
        norm: the divisor; None: the Frobenius norm of this batch.

    Returns:
        `(batch, width)`.
    """
    return features / (frobenius_norm(features) if norm is None else norm)


def normalise_rows(features: torch.Tensor) -> torch.Tensor:
    """Divide each row by its own Euclidean norm, with gradient; a row of zeros stays zero.

    Args:
        features: `(batch, width)` floating point.

    Returns:
        `(batch, width)`.
    """
    return torch.nn.functional.normalize(features, dim=1)


def attend(
    features: torch.Tensor, label_memory: torch.Tensor, *, temperature: float = 5.0, memory_share: float = 0.2
) -> torch.Tensor:
    """Mix each feature with the label memory's rows, weighted by how well they match.

    Args:
        features: `(batch, width)`, normalised.
        label_memory: `(n_label, width)`, one row per label; takes no gradient.
        temperature: factor inside the sigmoid.
        memory_share: share of the memory in the result, `0..1`.

    Returns:
        `(batch, width)`: `(1 - share) f + share m` with `a = sigmoid(temperature f M^T)`, `m = a M /
        rowsum(a)`.
    """
    memory = label_memory.detach()
    weight = torch.sigmoid(temperature * features @ memory.T)  # (batch, n_label)
    recalled = (weight @ memory) / weight.sum(dim=1, keepdim=True)  # (batch, width)
    return torch.lerp(features, recalled, memory_share)
