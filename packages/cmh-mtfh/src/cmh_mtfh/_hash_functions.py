"""The hash functions: kernel logistic regressions of the learned codes, one a bit."""

from __future__ import annotations

import torch
from cmh_train import PlainOptimiser

_FLAT = 1e-12  # directions of the anchors' kernel with less than this share of the largest say nothing
_HISTORY = 20  # of L-BFGS
_CURVATURE = 0.05  # of the logistic loss at a row: at most 1/4, less where a row is on the right side
_GRADIENT = 1e-5  # largest entry at which L-BFGS ends


class LBFGS(PlainOptimiser, torch.optim.LBFGS):
    """`torch.optim.LBFGS` without importing `torch._dynamo`."""


def kernel_width(rows: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of all pairs of rows, each row with itself included."""
    width: torch.Tensor = 2 * (rows - rows.mean(dim=0)).square().sum(dim=1).mean()
    return width


def fit_logistic(
    kernel: torch.Tensor,
    anchor_kernel: torch.Tensor,
    codes: torch.Tensor,
    *,
    ridge: float,
    iterations: int,
) -> torch.Tensor:
    """Return W, `(a, q)`: each column minimises sum log(1 + exp(-h K w)) + ridge w^T K_a w.

    The bits are fitted at once, in float64: their objectives are apart, so that the minimum of the sum is the
    minimum of each. The coordinates are those in which the objective's curvature, with a common value for all
    rows, is that of a sphere: the same minimum in a tenth of the iterations.

    Args:
        kernel: `(n, a)` of training rows and anchors, K.
        anchor_kernel: `(a, a)` of the anchors, K_a.
        codes: `(n, q)` signs, h.
        ridge: weight of the second term.
        iterations: of L-BFGS, at most.
    """
    inputs, anchors, signs = kernel.double(), anchor_kernel.double(), codes.double()
    curvature = _CURVATURE * inputs.T @ inputs + 2 * ridge * anchors
    values, vectors = torch.linalg.eigh(curvature)
    there = values > _FLAT * values[-1]
    whitening = vectors[:, there] / values[there].sqrt()
    features, penalty = inputs @ whitening, ridge * whitening.T @ anchors @ whitening
    weights = torch.zeros(features.shape[1], codes.shape[1], dtype=torch.float64, device=kernel.device)
    optimiser = LBFGS(
        [weights],
        max_iter=iterations,
        history_size=_HISTORY,
        tolerance_grad=_GRADIENT,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        margins, penalised = signs * (features @ weights), penalty @ weights
        weights.grad = 2 * penalised - features.T @ (signs * torch.sigmoid(-margins))
        loss: torch.Tensor = torch.nn.functional.softplus(-margins).sum() + (weights * penalised).sum()
        return loss

    optimiser.step(objective)
    found: torch.Tensor = (whitening @ weights).to(kernel)
    return found
