"""The formulas one by one: worked by hand, beside slow restatements, and what they promise."""

import numpy as np
import pytest
import torch
from cmh_mtfh._hash_functions import LBFGS, fit_logistic, kernel_width
from cmh_mtfh._rounds import Codes, Settings, losses, new_signs, one_round, sign
from cmh_train import gaussian_kernel
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Settings(image_share=0.4, mapping_weight=0.1, mapping_ridge=0.1, text_mapping="H2")
N1, N2, Q1, Q2 = 7, 5, 3, 4


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def draw_codes(seed=0):
    shapes = ((N1, Q1), (N2, Q2), (N2, Q1), (N1, Q2), (Q1, Q2), (Q1, Q2))
    values = [draw(*shape, seed=seed + place) for place, shape in enumerate(shapes)]
    return Codes(*(sign(value) for value in values[:4]), *values[4:])


def draw_labels(n, seed):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (n, 3)).astype(float))


def test_zero_is_positive():
    assert sign(torch.tensor([-0.5, 0.0, 0.5])).tolist() == [-1, 1, 1]


def test_the_objective_is_that_of_the_whole_similarity_matrix():
    codes, image_labels, text_labels = draw_codes(), draw_labels(N1, 0), draw_labels(N2, 1)
    found = losses(codes, image_labels, text_labels, PROGRAM)
    similarity = image_labels @ text_labels.T
    image_space = 0.4 * (similarity - codes.image @ codes.text_as_image.T / Q1).square().sum()
    text_space = 0.6 * (similarity - codes.image_as_text @ codes.text.T / Q2).square().sum()
    mapping = (codes.text_as_image - codes.text @ codes.image_mapping.T).square().sum()
    mapping = 0.1 * (mapping + (codes.image_as_text - codes.image @ codes.text_mapping).square().sum())
    assert float(found["image_space"]) == pytest.approx(float(image_space))
    assert float(found["text_space"]) == pytest.approx(float(text_space))
    assert float(found["mapping"]) == pytest.approx(float(mapping))
    assert float(found["total"]) == pytest.approx(float(image_space + text_space + mapping))


def slow_signs(start, pull, interaction, order):
    """Bit by bit and item by item: pull less what the other bits push."""
    state, total = start.numpy().copy(), np.zeros(start.shape)
    for _ in range(3):
        for _ in range(10):
            before = state.copy()
            for bit in order(state.shape[1]):
                for row in range(len(state)):
                    others = [other for other in range(state.shape[1]) if other != bit]
                    pushed = sum(state[row, other] * interaction[other, bit] for other in others)
                    state[row, bit] = 1 if pull[row, bit] - pushed >= 0 else -1
            if np.linalg.norm(before - state) < 1e-6 * np.linalg.norm(before):
                break
        total += state
    return np.where(total >= 0, 1, -1)


def test_sweeps_are_those_of_a_plain_loop():
    pull, interaction = draw(9, 4), draw(4, 4, seed=1)
    interaction = interaction + interaction.T
    start = sign(draw(9, 4, seed=2))
    draws = np.random.default_rng(3)
    limits = draws.integers(1, 5, 30).tolist()
    ours, theirs = iter(limits), iter(limits)
    found = new_signs(start, pull, interaction, lambda _: range(next(ours)))
    np.testing.assert_array_equal(found, slow_signs(start, pull, interaction, lambda _: range(next(theirs))))
    assert list(ours) == list(theirs), "as many sweeps"


def test_bits_that_no_sweep_visits_stay():
    start = sign(draw(6, 4))
    found = new_signs(start, -10 * start, torch.zeros(4, 4, dtype=torch.float64), lambda _: range(2))
    np.testing.assert_array_equal(found, torch.cat((-start[:, :2], start[:, 2:]), dim=1))


@given(seed=st.integers(0, 200))
def test_a_sweep_over_all_bits_never_raises_the_part_that_it_minimises(seed):
    """sign(P_i - sum of others) minimises 1/2 x A x^T - P x^T over each bit; A's diagonal is constant."""
    pull, half = draw(6, 5, seed=seed), draw(5, 5, seed=seed + 1)
    push, start = half @ half.T, sign(draw(6, 5, seed=seed + 2))

    def part(state):
        return (0.5 * (state @ push * state).sum(dim=1) - (pull * state).sum(dim=1)).numpy()

    state = start.clone()
    others = push - torch.diag(push.diagonal())
    for bit in range(5):
        before = part(state)
        state[:, bit] = sign(pull[:, bit] - state @ others[:, bit])
        assert (part(state) <= before + 1e-9).all()


def restated_round(codes, image_labels, text_labels, settings):
    """The round with the similarity matrix and the formulas as they are written."""
    s = (image_labels @ text_labels.T).numpy()
    u, v, u2, v2 = (
        each.numpy() for each in (codes.image, codes.text, codes.text_as_image, codes.image_as_text)
    )
    a, b = settings.image_share, settings.mapping_weight
    h1 = u2.T @ v @ np.linalg.inv(v.T @ v + 0.1 * np.eye(Q2))
    h2 = np.linalg.inv(u.T @ u + 0.1 * np.eye(Q1)) @ u.T @ v2

    def descend(start, pull, push):
        return slow_signs(torch.from_numpy(start), pull.T, push, range)

    u = descend(u, a / Q1 * u2.T @ s.T + b * h2 @ v2.T, a / Q1**2 * u2.T @ u2 + b * h2 @ h2.T)
    u2 = descend(u2, a / Q1 * u.T @ s + b * h1 @ v.T, a / Q1**2 * u.T @ u)
    g = h2 if settings.text_mapping == "H2" else h1
    v = descend(v, (1 - a) / Q2 * v2.T @ s + b * h1.T @ u2.T, (1 - a) / Q2**2 * v2.T @ v2 + b * g.T @ g)
    v2 = descend(v2, (1 - a) / Q2 * v.T @ s.T + b * h2.T @ u.T, (1 - a) / Q2**2 * v.T @ v)
    return u, v, u2, v2, h1, h2


@pytest.mark.parametrize("mapping", ["H1", "H2"])
def test_a_round_is_what_the_formulas_say(mapping):
    settings = Settings(image_share=0.4, mapping_weight=0.1, mapping_ridge=0.1, text_mapping=mapping)
    codes, image_labels, text_labels = draw_codes(5), draw_labels(N1, 2), draw_labels(N2, 3)
    expected = restated_round(codes, image_labels, text_labels, settings)
    one_round(codes, image_labels, text_labels, settings, range)
    for found, wanted in zip(vars(codes).values(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_the_kernel_width_is_the_mean_of_all_pairs():
    rows = draw(8, 3)
    assert float(kernel_width(rows)) == pytest.approx(float(torch.cdist(rows, rows).square().mean()))


def test_gaussian_kernel_worked_by_hand():
    kernel = gaussian_kernel(torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0]]), torch.tensor(25.0))
    np.testing.assert_allclose(kernel, [[np.exp(-1)]])


def test_a_logistic_fit_has_no_gradient_left():
    rows = draw(30, 4)
    anchors = rows[:10]
    kernel, anchor_kernel = (gaussian_kernel(each, anchors, torch.tensor(8.0)) for each in (rows, anchors))
    codes = sign(draw(30, 3, seed=1))
    weights = fit_logistic(kernel, anchor_kernel, codes, ridge=0.01, iterations=1000)
    margins = codes * (kernel @ weights)
    gradient = 0.02 * anchor_kernel @ weights - kernel.T @ (codes * torch.sigmoid(-margins))
    assert gradient.abs().max() < 1e-5


def test_anchors_that_are_equal_count_once():
    rows = draw(20, 3)
    twice = torch.cat((rows[:5], rows[:5]))
    codes, width = sign(draw(20, 2, seed=1)), torch.tensor(4.0)
    fits = [
        gaussian_kernel(rows, anchors, width)
        @ fit_logistic(
            gaussian_kernel(rows, anchors, width), gaussian_kernel(anchors, anchors, width), codes,
            ridge=0.01, iterations=1000,
        )
        for anchors in (rows[:5], twice)
    ]  # fmt: skip
    np.testing.assert_allclose(*fits, atol=1e-4)


def test_lbfgs_is_torchs_to_the_bit():
    ends, matrix = [], draw(20, 6)
    for kind in (LBFGS, torch.optim.LBFGS):
        weight = torch.ones(6, dtype=torch.float64, requires_grad=True)
        optimiser = kind([weight], max_iter=15, history_size=4, line_search_fn="strong_wolfe")

        def objective(weight=weight):
            weight.grad = None
            loss = torch.nn.functional.softplus(matrix @ weight).sum() + weight.square().sum()
            loss.backward()
            return loss

        values = [optimiser.step(objective).item() for _ in range(2)]
        state = optimiser.state_dict()["state"][0]
        ends.append((values, weight.tolist(), state["func_evals"], state["n_iter"]))
    assert ends[0] == ends[1]
    assert ends[0][3] > 4
