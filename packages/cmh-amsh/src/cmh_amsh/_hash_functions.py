"""The hash functions: a regression of the learned codes on kernel features, with room on the right side."""

from __future__ import annotations

import torch

from cmh_amsh._kernel import gram_matrix


def fit_hash_function(
    kernel: torch.Tensor, codes: torch.Tensor, *, rounds: int, ridge: float
) -> torch.Tensor:
    """Return F^T, `(a, k)`: what `kernel @ F^T` says of a row, its bits are the signs of.

    Each round regresses T = B * (1 + M) with F = T X^T (X X^T + ridge I)^-1 and gives the room
    M = max(0, (F X - B) * B) to the next.

    Args:
        kernel: `(n, a)` features of the training rows, X.
        codes: `(n, k)` signs, B.
        rounds: how many.
        ridge: of the regression.
    """
    gram = gram_matrix(kernel)
    gram.diagonal().add_(ridge)
    factor = torch.linalg.cholesky(gram)
    room = torch.zeros_like(codes)
    for left in reversed(range(rounds)):
        right = kernel.T @ (codes * (1 + room))
        function = torch.cholesky_solve(right.double(), factor).to(kernel)
        if left:
            room = torch.relu((kernel @ function - codes) * codes)
    return function
