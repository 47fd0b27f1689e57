"""Features of a row: its Gaussian similarities to anchor rows."""

from __future__ import annotations

import torch

_ENTRIES = 2**24  # of the double precision copies that sums are made of


def squared_distances(rows: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Return `(n, a)` squared Euclidean distances of rows `(n, d)` to anchors `(a, d)`."""
    return torch.cdist(rows, anchors).square_()


def gaussian(distances: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Turn squared distances, in place, into exp(-d^2 / width)."""
    return distances.div_(-width).exp_()


def gram_matrix(kernel: torch.Tensor) -> torch.Tensor:
    """Return X X^T of the kernel features, `(a, a)` float64, from `(n, a)`.

    The kernel of smooth features is nearly singular, so that single precision would not do.
    """
    gram = kernel.new_zeros(kernel.shape[1], kernel.shape[1], dtype=torch.float64)
    for part in torch.split(kernel, max(1, _ENTRIES // max(1, kernel.shape[1]))):
        exact = part.double()
        gram.addmm_(exact.T, exact)
    return gram


def principal_directions(kernel: torch.Tensor, bits: int) -> torch.Tensor:
    """Return the `bits` strongest eigenvectors of the covariance of kernel features, `(a, bits)`.

    Signs are free; here the largest entry of each is positive. Where the covariance has fewer directions, the
    others are random.

    Args:
        kernel: `(n, a)` features of the rows that are looked at.
        bits: how many.
    """
    centred = (kernel - kernel.mean(dim=0)).double()
    few_rows = len(centred) < centred.shape[1]  # then those of the smaller matrix tell the same
    scatter = centred @ centred.T if few_rows else centred.T @ centred
    eigenvalues, vectors = torch.linalg.eigh(scatter)
    tiny = eigenvalues[-1] * len(scatter) * torch.finfo(torch.float64).eps
    directions = vectors[:, eigenvalues > tiny].flip(1)[:, :bits]
    if few_rows:
        directions = torch.nn.functional.normalize(centred.T @ directions, dim=0)
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    directions = directions * largest.sign()
    others = torch.randn(len(directions), bits - directions.shape[1]).to(directions)
    return torch.cat((directions, others / len(directions) ** 0.5), dim=1).to(kernel)
