"""MTFH once more, plainly: the formulas as the program has them, with the whole matrix of similarities.

The benchmark takes its baseline from here.
"""

import torch


def descend(start, pull, push, order):
    """Signs bit by bit, from what pulls them and from how the other bits push; items are rows."""
    state, total = start.clone(), torch.zeros_like(start)
    for _ in range(3):
        for _ in range(10):
            before = state.clone()
            for bit in order(state.shape[1]):
                others = [other for other in range(state.shape[1]) if other != bit]
                pushed = state[:, others] @ push[others, bit]
                state[:, bit] = torch.where(pull[:, bit] - pushed >= 0, 1.0, -1.0).to(state)
            if (before - state).norm() < 1e-6 * before.norm():
                break
        total += state
    return torch.where(total >= 0, 1.0, -1.0).to(start)


def one_round(u, v, u2, v2, similarity, order, *, share=0.5, weight=0.1, mapping="H2"):
    """U, V, U' and V' after a round, H1 and H2, and the objective."""
    s, (q1, q2) = similarity, (u.shape[1], v.shape[1])
    eye1, eye2 = (0.1 * torch.eye(q, dtype=u.dtype) for q in (q1, q2))
    h1 = u2.T @ v @ torch.linalg.inv(v.T @ v + eye2)
    h2 = torch.linalg.inv(u.T @ u + eye1) @ u.T @ v2
    pull = share / q1 * s @ u2 + weight * v2 @ h2.T
    u = descend(u, pull, share / q1**2 * u2.T @ u2 + weight * h2 @ h2.T, order)
    pull = share / q1 * s.T @ u + weight * v @ h1.T
    u2 = descend(u2, pull, share / q1**2 * u.T @ u, order)
    g = h2 if mapping == "H2" else h1
    pull = (1 - share) / q2 * s.T @ v2 + weight * u2 @ h1
    v = descend(v, pull, (1 - share) / q2**2 * v2.T @ v2 + weight * g.T @ g, order)
    pull = (1 - share) / q2 * s @ v + weight * u @ h2
    v2 = descend(v2, pull, (1 - share) / q2**2 * v.T @ v, order)
    objective = share * (s - u @ u2.T / q1).square().sum()
    objective += (1 - share) * (s - v2 @ v.T / q2).square().sum()
    objective += weight * ((u2 - v @ h1.T).square().sum() + (v2 - u @ h2).square().sum())
    return u, v, u2, v2, h1, h2, float(objective)


def kernel(rows, anchors, width):
    """Gaussian similarities, a row for each of `rows`."""
    return torch.exp(-torch.stack([(rows - anchor).square().sum(dim=1) for anchor in anchors], dim=1) / width)


def logistic(features, anchor_kernel, signs, *, iterations=1000):
    """The weights of one bit, as they are: L-BFGS from 0."""
    weights = torch.zeros(features.shape[1], dtype=features.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights],
        max_iter=iterations,
        history_size=100,
        tolerance_grad=1e-7,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def objective():
        optimiser.zero_grad()
        loss = torch.nn.functional.softplus(-signs * (features @ weights)).sum()
        loss = loss + 0.01 * weights @ anchor_kernel @ weights
        loss.backward()
        return loss

    optimiser.step(objective)
    return weights.detach()
