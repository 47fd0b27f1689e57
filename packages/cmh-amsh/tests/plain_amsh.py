"""AMSH once more, plainly: the formulas as the program has them, items as columns, in double precision.

The benchmark takes its baseline from here.
"""

import torch

MODALITIES = ("image", "text")


def kernel_features(values, anchors):
    """Similarities to the anchors, a column for each row of `values`, less their means."""
    distances = torch.stack([(values - anchor).square().sum(dim=1) for anchor in anchors])
    kernel = torch.exp(-distances / (2 * distances.mean()))
    return kernel - kernel.mean(dim=1, keepdim=True)


def start(kernel, bits, rows=slice(None)):
    """Projections on the strongest eigenvectors of some rows' covariance, largest entries positive."""
    vectors = torch.linalg.eigh(torch.cov(kernel[:, rows])).eigenvectors.flip(1)[:, :bits]
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return (vectors * largest.sign()).T @ kernel


def rounds(starts, labels, *, count, bits):
    """V, B and E of every modality after the rounds, and the objective after each."""
    label = {m: each.T for m, each in labels.items()}  # (c, n)
    signs = {m: 2 * each - 1 for m, each in label.items()}
    unit = {m: each / each.norm(dim=0).clamp(min=1e-7) for m, each in label.items()}
    v, objectives = dict(starts), []
    b = {m: each.sign() for m, each in v.items()}
    e = {m: torch.zeros_like(each) for m, each in label.items()}
    weight = 1e-3 * bits
    for _ in range(count):
        p = {m: (label[m] + signs[m] * e[m]) @ v[m].T @ torch.linalg.inv(v[m] @ v[m].T) for m in v}
        for m, other in (("image", "text"), ("text", "image")):
            z = p[m].T @ (label[m] + signs[m] * e[m]) + b[m] + weight * (b[m] @ unit[m].T) @ unit[m]
            z = z + weight * (v[other] @ unit[other].T) @ unit[m]
            z = z - z.mean(dim=1, keepdim=True)
            values, vectors = torch.linalg.eigh(z @ z.T)
            v[m] = z.shape[1] ** 0.5 * vectors @ torch.diag(values**-0.5) @ vectors.T @ z
        for m in MODALITIES:
            b[m] = torch.sign(weight * (v[m] @ unit[m].T) @ unit[m] + v[m])
            e[m] = torch.relu((p[m] @ v[m] - label[m]) * signs[m])
        objective = -weight * ((v["image"] @ unit["image"].T) * (v["text"] @ unit["text"].T)).sum()
        for m in MODALITIES:
            objective += (label[m] + signs[m] * e[m] - p[m] @ v[m]).square().sum() / 2
            objective += (b[m] - v[m]).square().sum() / 2
            objective -= weight * ((b[m] @ unit[m].T) * (v[m] @ unit[m].T)).sum()
        objectives.append(float(objective))
    return v, b, e, objectives


def hash_function(kernel, codes, *, count):
    """F after the rounds, `(bits, anchors)`."""
    inverse = torch.linalg.inv(kernel @ kernel.T + 0.01 * torch.eye(len(kernel), dtype=kernel.dtype))
    room = torch.zeros_like(codes)
    for _ in range(count):
        function = (codes * (1 + room)) @ kernel.T @ inverse
        room = torch.relu((function @ kernel - codes) * codes)
    return function
