import numpy as np
import pytest
from umml_cli.noise import RESAMPLES, difference_interval, half_width


def test_the_interval_of_a_mean_by_hand():
    # deviation 0.02, three seeds: 4.303 * 0.02 / sqrt(3)
    assert half_width([0.50, 0.52, 0.54]) == pytest.approx(0.049687, abs=1e-6)
    assert half_width([0.5]) is None
    assert half_width([0.0, 1.0] * 50) == pytest.approx(1.960 * np.std([0, 1] * 50, ddof=1) / 10)


def test_a_run_against_itself_has_no_difference():
    precision = np.random.default_rng(0).random((1, 50))
    assert difference_interval(precision, precision) == (0, 0)


def test_pairing_takes_the_queries_difficulty_out():
    generator = np.random.default_rng(1)
    difficulty = generator.random(200)
    noise = 0.01 * generator.normal(size=(2, 200))
    low, high = difference_interval((difficulty + 0.01 + noise[0])[None], (difficulty + noise[1])[None])
    assert 0.005 < low < high < 0.015


def test_seeds_that_disagree_widen_the_interval():
    queries = np.full((3, 40), 0.5)
    seeds = queries + np.array([[-0.1], [0.0], [0.1]])
    low, high = difference_interval(seeds, queries)
    assert low < -0.05
    assert high > 0.05


def test_it_agrees_with_drawing_one_sample_after_the_other():
    generator = np.random.default_rng(2)
    first, second = generator.random((2, 30)) + 0.05, generator.random((3, 30))
    drawn = []
    for _ in range(4 * RESAMPLES):
        queries = generator.integers(30, size=30)
        seeds = [generator.integers(len(each), size=len(each)) for each in (first, second)]
        means = [each[of][:, queries].mean() for each, of in zip((first, second), seeds, strict=True)]
        drawn.append(means[0] - means[1])
    assert difference_interval(first, second) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)
    assert difference_interval(first, second) == difference_interval(first, second)
