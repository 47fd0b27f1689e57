"""The rounds that learn the codes of the training items from their labels.

Minimised over P, V (V 1 = 0, V V^T = n I), B and E, for the images and the texts m with the other modality o:

    sum_m [ 1/2 ||L_m + R_m * E_m - P_m V_m||^2 + eta/2 ||B_m - V_m||^2 - lambda r <B_m Lh_m^T, V_m Lh_m^T> ]
    - beta r <V_1 Lh_1^T, V_2 Lh_2^T>

Here items are rows: L is `(n, c)`, V and B are `(n, k)`, P is `(k, c)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_SMALLEST_NORM = 1e-7  # of a label vector; program: an item without labels has no direction
_NO_DIRECTION = 1e-4  # eigenvalues of C C^T below this span nothing; program


@dataclass(frozen=True)
class Labels:
    """The labels of a modality's items.

    Args:
        values: `(n, c)` zeros and ones, L.
        signs: `(n, c)` 2 L - 1, R.
        unit: `(n, c)` rows of unit length, Lh; zeros where an item has no label.
    """

    values: torch.Tensor
    signs: torch.Tensor
    unit: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor) -> Labels:
        """Make them of `(n, c)` zeros and ones."""
        norms = values.norm(dim=1, keepdim=True).clamp(min=_SMALLEST_NORM)
        return cls(values, 2 * values - 1, values / norms)


@dataclass(frozen=True)
class Weights:
    """The weights of the objective's terms: eta, lambda r and beta r."""

    quantisation: float
    intra: float
    cross: float


@dataclass
class State:
    """What is learned of a modality's items.

    Args:
        factors: `(n, k)` real-valued codes, V.
        codes: `(n, k)` signs, B.
        slack: `(n, c)` how far labels are stretched, E, not negative.
    """

    factors: torch.Tensor
    codes: torch.Tensor
    slack: torch.Tensor


def stretched_labels(labels: Labels, state: State) -> torch.Tensor:
    """Return L + R * E, `(n, c)`."""
    return labels.values + labels.signs * state.slack


def label_projection(labels: Labels, state: State) -> torch.Tensor:
    """Return P = (L + R * E) V^T (V V^T)^-1, here `(k, c)`."""
    factors = state.factors
    scatter = factors.T @ factors
    inverse: torch.Tensor = torch.linalg.pinv(scatter.double(), hermitian=True).to(scatter)
    return inverse @ (factors.T @ stretched_labels(labels, state))


def new_factors(
    labels: Labels,
    state: State,
    projection: torch.Tensor,
    weights: Weights,
    other: tuple[Labels, State] | None,
) -> torch.Tensor:
    """Return V: of all with V 1 = 0 and V V^T = n I the one nearest to Z.

    Args:
        labels: of this modality.
        state: likewise.
        projection: P, `(k, c)`.
        weights: of the terms.
        other: the other modality, None where it has no items.
    """
    target = stretched_labels(labels, state) @ projection.T + weights.quantisation * state.codes
    target += weights.intra * (labels.unit @ (labels.unit.T @ state.codes))
    if other is not None:
        other_labels, other_state = other
        target += weights.cross * (labels.unit @ (other_labels.unit.T @ other_state.factors))
    return nearest_factors(target)


def nearest_factors(target: torch.Tensor) -> torch.Tensor:
    """Return sqrt(n) (C C^T)^(-1/2) C of the centred target C, here `(n, k)`.

    Where C lacks directions, random ones that are orthogonal to 1 and to the others fill them, so that the
    constraints hold; the program's are not, which is a slip. Fewer than k + 1 rows cannot hold k directions:
    then those that have no room are 0.
    """
    n = len(target)
    centred = target - target.mean(dim=0)
    scatter = centred.T @ centred
    eigenvalues, vectors = torch.linalg.eigh(scatter.double())
    has_direction = eigenvalues > _NO_DIRECTION
    vectors, kept = vectors.to(target), vectors[:, has_direction].to(target)
    basis = (centred @ kept) / eigenvalues[has_direction].sqrt().to(target)
    if not bool(has_direction.all()):
        lacking = vectors[:, ~has_direction]
        room = max(0, min(lacking.shape[1], n - 1 - basis.shape[1]))
        basis = torch.cat((basis, _orthogonal_fill(basis, room)), dim=1)
        kept = torch.cat((kept, lacking[:, :room]), dim=1)
    factors: torch.Tensor = n**0.5 * (basis @ kept.T)
    return factors


def _orthogonal_fill(basis: torch.Tensor, count: int) -> torch.Tensor:
    """`count` random orthonormal columns, orthogonal to 1 and to the columns of the basis."""
    columns = torch.randn(len(basis), count).to(basis)
    for _ in range(2):  # once more removes what rounding left
        columns = columns - columns.mean(dim=0)
        columns = columns - basis @ (basis.T @ columns)
        columns = torch.linalg.qr(columns).Q
    return columns


def new_codes(labels: Labels, factors: torch.Tensor, weights: Weights) -> torch.Tensor:
    """Return B = sign(lambda r V Lh^T Lh + eta V), `(n, k)`."""
    followed = weights.intra * (labels.unit @ (labels.unit.T @ factors))
    return torch.sign(followed + weights.quantisation * factors)


def new_slack(labels: Labels, factors: torch.Tensor, projection: torch.Tensor) -> torch.Tensor:
    """Return E = max(0, (P V - L) * R), `(n, c)`."""
    return torch.relu((factors @ projection - labels.values) * labels.signs)


def own_losses(labels: Labels, state: State, projection: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a modality's terms of the objective before they are weighted: `label, quantisation, intra`."""
    misfit = stretched_labels(labels, state) - state.factors @ projection
    by_label = (each.T @ labels.unit for each in (state.codes, state.factors))
    return {
        "label": misfit.square().sum() / 2,
        "quantisation": (state.codes - state.factors).square().sum() / 2,
        "intra": -torch.mul(*by_label).sum(),
    }


def cross_loss(image: tuple[Labels, State], text: tuple[Labels, State]) -> torch.Tensor:
    """Return the term of both modalities, -<V_1 Lh_1^T, V_2 Lh_2^T>."""
    by_label = (state.factors.T @ labels.unit for labels, state in (image, text))
    return -torch.mul(*by_label).sum()
