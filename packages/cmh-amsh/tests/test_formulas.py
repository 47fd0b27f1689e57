"""The formulas one by one: worked by hand, beside a slow restatement, and what they promise."""

import numpy as np
import pytest
import torch
from cmh_amsh._hash_functions import fit_hash_function
from cmh_amsh._kernel import gaussian, gram_matrix, principal_directions, squared_distances
from cmh_amsh._rounds import (
    Labels,
    State,
    Weights,
    label_projection,
    nearest_factors,
    new_codes,
    new_factors,
    new_slack,
    own_losses,
)
from hypothesis import given
from hypothesis import strategies as st

WEIGHTS = Weights(quantisation=1.0, intra=0.008, cross=0.008)


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def draw_state(n, bits, n_label, seed=0):
    factors = draw(n, bits, seed=seed)
    return State(factors, factors.sign(), draw(n, n_label, seed=seed + 1).abs())


def draw_labels(n, n_label, seed=0):
    return Labels.of(torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (n, n_label)).astype(float)))


def test_a_label_vector_has_length_one_and_none_stays_zero():
    labels = Labels.of(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(labels.unit, [[0.5**0.5, 0.5**0.5], [0, 0]], atol=1e-7)
    np.testing.assert_array_equal(labels.signs, [[1, 1], [-1, -1]])


def test_gaussian_similarity_worked_by_hand():
    distances = squared_distances(torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0], [0.0, 3.0]]))
    np.testing.assert_allclose(distances, [[25, 0]])
    np.testing.assert_allclose(gaussian(distances, torch.tensor(25.0)), [[np.exp(-1), 1]])


def test_slack_is_what_lies_beyond_the_label():
    """P V = 1.5 is 0.5 beyond label 1; 0.25 is 0.25 short of label 0, which is no slack."""
    labels = Labels.of(torch.tensor([[1.0, 0.0]]))
    slack = new_slack(labels, torch.tensor([[1.0]]), torch.tensor([[1.5, 0.25]]))
    np.testing.assert_allclose(slack, [[0.5, 0]])


@given(n=st.integers(12, 40), bits=st.integers(1, 8), rank=st.integers(0, 8), seed=st.integers(0, 99))
def test_factors_are_centred_and_orthogonal_whatever_the_rank(n, bits, rank, seed):
    target = draw(n, rank, seed=seed) @ draw(rank, bits, seed=seed + 1) + 3
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        factors = nearest_factors(target)
    np.testing.assert_allclose(factors.sum(dim=0), 0, atol=1e-8)
    np.testing.assert_allclose(factors.T @ factors, n * np.eye(bits), atol=1e-7)


def test_no_other_factors_are_nearer():
    target = draw(30, 4)
    best = (nearest_factors(target) * target).sum()
    for seed in range(20):
        other = nearest_factors(draw(30, 4, seed=seed + 100))
        assert (other * target).sum() <= best + 1e-9


def test_factors_without_room_are_zero_there():
    factors = nearest_factors(draw(4, 6))
    values = np.linalg.eigvalsh(factors.T @ factors)
    np.testing.assert_allclose(values, [0, 0, 0, 4, 4, 4], atol=1e-9)


def test_a_step_is_what_the_formulas_say_item_by_item():
    labels, other_labels = draw_labels(9, 3), draw_labels(7, 3, seed=1)
    state, other = draw_state(9, 2, 3), draw_state(7, 2, 3, seed=5)
    projection = label_projection(labels, state)
    stretched = (labels.values + labels.signs * state.slack).numpy().T  # (c, n) as in the formulas
    v, b, unit = state.factors.numpy().T, state.codes.numpy().T, labels.unit.numpy().T
    p = stretched @ v.T @ np.linalg.inv(v @ v.T)
    np.testing.assert_allclose(projection.T, p)
    z = p.T @ stretched + WEIGHTS.intra * b @ unit.T @ unit + WEIGHTS.quantisation * b
    z += WEIGHTS.cross * other.factors.numpy().T @ other_labels.unit.numpy() @ unit
    c = z - z.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(c @ c.T)
    expected = 3 * vectors @ np.diag(values**-0.5) @ vectors.T @ c
    factors = new_factors(labels, state, projection, WEIGHTS, (other_labels, other))
    np.testing.assert_allclose(factors.T, expected)
    np.testing.assert_array_equal(
        new_codes(labels, factors, WEIGHTS).T, np.sign(WEIGHTS.intra * expected @ unit.T @ unit + expected)
    )


def test_the_terms_of_the_objective_are_sums_over_entries():
    labels, state, projection = draw_labels(5, 3), draw_state(5, 2, 3), draw(2, 3)
    losses = own_losses(labels, state, projection)
    misfit = labels.values + labels.signs * state.slack - state.factors @ projection
    assert losses["label"] == pytest.approx(float((misfit**2).sum() / 2))
    assert losses["quantisation"] == pytest.approx(float(((state.codes - state.factors) ** 2).sum() / 2))
    kernel = labels.unit @ labels.unit.T
    assert losses["intra"] == pytest.approx(-float((kernel * (state.codes @ state.factors.T)).sum()))


@pytest.mark.parametrize("n", [9, 41])
def test_principal_directions_are_the_strongest_of_the_covariance(n):
    kernel = draw(n, 20)
    expected = np.linalg.eigh(np.cov(kernel.numpy(), rowvar=False))[1][:, ::-1][:, :4]
    found = principal_directions(kernel, 4).numpy()
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1)
    assert (found[np.abs(found).argmax(axis=0), range(4)] > 0).all()


def test_more_bits_than_directions_are_filled():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        directions = principal_directions(draw(5, 20), 8)
    assert directions.shape == (20, 8)
    assert torch.linalg.matrix_rank(directions) == 8


def test_sums_in_blocks_are_the_sum(monkeypatch):
    kernel = draw(23, 4)
    monkeypatch.setattr("cmh_amsh._kernel._ENTRIES", 20)
    np.testing.assert_allclose(gram_matrix(kernel), kernel.T @ kernel)


def test_a_hash_function_of_one_round_is_a_ridge_regression():
    kernel, codes = draw(12, 3), draw(12, 2, seed=1).sign()
    function = fit_hash_function(kernel, codes, rounds=1, ridge=0.5)
    kernel, codes = kernel.numpy(), codes.numpy()
    expected = np.linalg.solve(kernel.T @ kernel + 0.5 * np.eye(3), kernel.T @ codes)
    np.testing.assert_allclose(function, expected)
