"""The rounds that learn the codes of the training items from the similarity of their labels.

Minimised over signs U (n1, q1) and V (n2, q2), the codes of images and of texts, over U' (n2, q1) and
V' (n1, q2), the same items in the other space, and over H1, H2 (q1, q2), with S = L1 L2^T:

    alpha ||S - U U'^T / q1||^2 + (1 - alpha) ||S - V' V^T / q2||^2
    + beta (||U' - V H1^T||^2 + ||V' - U H2||^2)

S, as large as images times texts, is never made: its products are those of the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_REPEATS = 3  # whose sum's sign is the new matrix; program
_SWEEPS = 10  # at most in each; program
_UNCHANGED = 1e-6  # relative change below which sweeps end; program


@dataclass
class Codes:
    """What is learned.

    Args:
        image: `(n1, q1)` signs, U.
        text: `(n2, q2)` signs, V.
        text_as_image: `(n2, q1)` signs, U'.
        image_as_text: `(n1, q2)` signs, V'.
        image_mapping: `(q1, q2)` H1, which leads from the texts' space into the images'.
        text_mapping: `(q1, q2)` H2, which leads from the images' space into the texts'.
    """

    image: torch.Tensor
    text: torch.Tensor
    text_as_image: torch.Tensor
    image_as_text: torch.Tensor
    image_mapping: torch.Tensor
    text_mapping: torch.Tensor


@dataclass(frozen=True)
class Settings:
    """Constants of the objective and its steps; see `MTFHConfig`."""

    image_share: float
    mapping_weight: float
    mapping_ridge: float
    text_mapping: str


def sign(values: torch.Tensor) -> torch.Tensor:
    """Return 1 where a value is `>= 0`, else -1."""
    return torch.where(values >= 0, 1.0, -1.0).to(values)


def one_round(
    codes: Codes,
    image_labels: torch.Tensor,
    text_labels: torch.Tensor,
    settings: Settings,
    order: Callable[[int], Iterable[int]],
) -> None:
    """Update the mappings and then U, U', V, V', in place.

    Args:
        codes: what is updated.
        image_labels: `(n1, c)`, L1.
        text_labels: `(n2, c)`, L2.
        settings: the constants.
        order: number of bits to the bits that a sweep visits, called for every sweep.
    """
    alpha, beta = settings.image_share, settings.mapping_weight
    codes.image_mapping = _ridge(codes.text, codes.text_as_image, settings.mapping_ridge).T
    codes.text_mapping = _ridge(codes.image, codes.image_as_text, settings.mapping_ridge)
    h1, h2 = codes.image_mapping, codes.text_mapping
    q1, q2 = h1.shape

    def similar(labels: torch.Tensor, other_labels: torch.Tensor, other_codes: torch.Tensor) -> torch.Tensor:
        return labels @ (other_labels.T @ other_codes)  # S X or S^T X

    pull = alpha / q1 * similar(image_labels, text_labels, codes.text_as_image)
    pull = pull + beta * codes.image_as_text @ h2.T
    push = alpha / q1**2 * codes.text_as_image.T @ codes.text_as_image + beta * h2 @ h2.T
    codes.image = new_signs(codes.image, pull, push, order)

    pull = alpha / q1 * similar(text_labels, image_labels, codes.image) + beta * codes.text @ h1.T
    push = alpha / q1**2 * codes.image.T @ codes.image
    codes.text_as_image = new_signs(codes.text_as_image, pull, push, order)

    pull = (1 - alpha) / q2 * similar(text_labels, image_labels, codes.image_as_text)
    pull = pull + beta * codes.text_as_image @ h1
    mapping = h2 if settings.text_mapping == "H2" else h1
    push = (1 - alpha) / q2**2 * codes.image_as_text.T @ codes.image_as_text + beta * mapping.T @ mapping
    codes.text = new_signs(codes.text, pull, push, order)

    pull = (1 - alpha) / q2 * similar(image_labels, text_labels, codes.text) + beta * codes.image @ h2
    push = (1 - alpha) / q2**2 * codes.text.T @ codes.text
    codes.image_as_text = new_signs(codes.image_as_text, pull, push, order)


def _ridge(inputs: torch.Tensor, targets: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return (X^T X + ridge I)^-1 X^T Y."""
    scatter = inputs.T @ inputs
    scatter.diagonal().add_(ridge)
    solution: torch.Tensor = torch.linalg.solve(scatter, inputs.T @ targets)
    return solution


def new_signs(
    start: torch.Tensor,
    pull: torch.Tensor,
    push: torch.Tensor,
    order: Callable[[int], Iterable[int]],
) -> torch.Tensor:
    """Return X after sweeps over its columns, x_i = sign(pull_i - sum of the others' push): discrete descent.

    Three times up to ten sweeps, each going on where the last ended; the sign of the sum of the three states.

    Args:
        start: `(n, q)` signs.
        pull: `(n, q)`, P.
        push: `(q, q)` symmetric.
        order: number of bits to the bits that a sweep visits.
    """
    state = start.clone()
    pushed_by_others = push - torch.diag(push.diagonal())
    total = torch.zeros_like(state)
    for _ in range(_REPEATS):
        for _ in range(_SWEEPS):
            before = state.clone()
            for bit in order(state.shape[1]):
                state[:, bit] = sign(pull[:, bit] - state @ pushed_by_others[:, bit])
            if bool((before - state).norm() < _UNCHANGED * before.norm()):
                break
        total += state
    return sign(total)


def losses(
    codes: Codes, image_labels: torch.Tensor, text_labels: torch.Tensor, settings: Settings
) -> dict[str, torch.Tensor]:
    """Return the terms of the objective, weighted, and their sum.

    Args:
        codes: what was learned.
        image_labels: `(n1, c)`, L1.
        text_labels: `(n2, c)`, L2.
        settings: the constants.

    Returns:
        `image_space`, `text_space`, `mapping` and `total`.
    """
    alpha, beta = settings.image_share, settings.mapping_weight
    labels = (image_labels, text_labels)
    image_space = _misfit(*labels, codes.image, codes.text_as_image)
    text_space = _misfit(*labels, codes.image_as_text, codes.text)
    mapped = (codes.text_as_image - codes.text @ codes.image_mapping.T).square().sum()
    mapped = mapped + (codes.image_as_text - codes.image @ codes.text_mapping).square().sum()
    parts = {
        "image_space": alpha * image_space,
        "text_space": (1 - alpha) * text_space,
        "mapping": beta * mapped,
    }
    return {**parts, "total": torch.stack(list(parts.values())).sum()}


def _misfit(
    image_labels: torch.Tensor, text_labels: torch.Tensor, image_codes: torch.Tensor, text_codes: torch.Tensor
) -> torch.Tensor:
    """||L1 L2^T - X Y^T / q||^2 by products of columns."""
    bits = image_codes.shape[1]
    by_labels = (image_labels.T @ image_labels) * (text_labels.T @ text_labels)
    between = (image_labels.T @ image_codes) * (text_labels.T @ text_codes)
    by_codes = (image_codes.T @ image_codes) * (text_codes.T @ text_codes)
    return by_labels.sum() - 2 / bits * between.sum() + by_codes.sum() / bits**2
