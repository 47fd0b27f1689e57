from itertools import product

import numpy as np
import pytest
from cmh_metrics import bootstrap_interval, paired_randomisation_test


def test_interval_of_a_known_spread():
    scores = np.random.default_rng(0).normal(0.5, 0.1, 400)
    low, high = bootstrap_interval(scores, n_resample=4000)
    assert low < scores.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.12)
    assert bootstrap_interval(scores, seed=1) == bootstrap_interval(scores, seed=1)
    assert bootstrap_interval(scores, seed=1) != bootstrap_interval(scores, seed=2)
    narrow = bootstrap_interval(scores, level=0.5)
    assert narrow[1] - narrow[0] < high - low


def test_p_value_against_all_exchanges():
    first, second = np.array([0.9, 0.4, 0.6, 0.8, 0.3, 0.7]), np.array([0.5, 0.5, 0.4, 0.6, 0.2, 0.6])
    difference = first - second
    exchanged = [abs(np.mean(difference * signs)) for signs in product([-1, 1], repeat=6)]
    exact = np.mean(np.array(exchanged) >= abs(difference.mean()) - 1e-12)
    test = paired_randomisation_test(first, second, n_resample=20_000)
    assert test.p_value == pytest.approx(exact, abs=0.015)
    assert test.difference == pytest.approx(difference.mean())
    assert test.n_query == 6
    assert paired_randomisation_test(second, first, n_resample=20_000).p_value == test.p_value


def test_differences_that_cancel_to_zero_are_as_likely_as_any():
    first = np.array([0.4, 0.3, 0.7, 0.0, 0.4, 1.0])
    second = np.array([0.9, 0.2, 0.2, 0.2, 0.9, 0.4])  # the same mean, but for rounding
    assert 0 < abs((first - second).mean()) < 1e-16
    assert paired_randomisation_test(first, second, n_resample=500).p_value == 1


def test_a_clear_difference_is_never_impossible():
    test = paired_randomisation_test(np.full(50, 0.9), np.full(50, 0.1), n_resample=999)
    assert test.p_value == 1 / 1000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([]), "scores must hold one score per query"),
        (lambda: bootstrap_interval([np.nan]), "scores must be finite"),
        (lambda: bootstrap_interval([0.5], level=1), "level must lie between 0 and 1, but it is 1"),
        (lambda: bootstrap_interval([0.5], n_resample=0), "n_resample must be an integer"),
        (lambda: paired_randomisation_test([1.0], [1.0, 2.0]), "they hold 1 and 2 scores"),
        (lambda: paired_randomisation_test([1.0], [1.0], n_resample=0), "n_resample must be an integer"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
