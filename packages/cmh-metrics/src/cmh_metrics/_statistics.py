"""How sure is a mean over queries: bootstrap intervals and paired randomisation tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.checks import positive_integer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cmh_metrics._definition import Scores

_BLOCK_VALUES = 1 << 20  # random numbers in memory at a time


def bootstrap_interval(
    scores: Any, *, level: float = 0.95, n_resample: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over queries.

    Args:
        scores: `(n_query,)`, for example from `average_precision`.
        level: share of the resampled means inside, between 0 and 1.
        n_resample: how many times the queries are drawn with replacement.
        seed: of the random numbers; the same seed gives the same interval.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: if there are no scores, a score is not finite, or an option is out of range.

    Example:
        >>> bootstrap_interval([0.5, 0.5])
        (0.5, 0.5)
    """
    values = _scores(scores, "scores")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, but it is {level!r}")
    n_resample = positive_integer(n_resample, "n_resample")
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[rng.integers(len(values), size=(n, len(values)))].mean(axis=1)
            for n in _blocks(n_resample, values)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedTest:
    """Result of a paired randomisation test.

    Args:
        difference: mean of the first system minus mean of the second.
        p_value: two-sided; how often a difference at least as large arises if the systems are exchangeable.
        n_query: number of queries compared.
    """

    difference: float
    p_value: float
    n_query: int


def paired_randomisation_test(
    first: Any, second: Any, *, n_resample: int = 10_000, seed: int = 0
) -> PairedTest:
    """Test whether two systems differ on the same queries (Fisher's randomisation test).

    Swaps the two systems' scores at random, query by query, and counts how often the difference of the means
    is at least as large as the observed one; the observed one counts as one of the draws, so p is never 0.
    See Smucker, Allan and Carterette, CIKM 2007.

    Args:
        first: `(n_query,)` scores of one system.
        second: `(n_query,)` scores of the other, for the same queries in the same order.
        n_resample: number of random exchanges.
        seed: of the random numbers.

    Returns:
        Difference, p-value and number of queries.

    Raises:
        ValueError: if the systems have different numbers of queries, or a score is not finite.

    Example:
        >>> paired_randomisation_test([0.5, 0.25], [0.5, 0.25]).p_value
        1.0
    """
    a, b = _scores(first, "first"), _scores(second, "second")
    if len(a) != len(b):
        raise ValueError(
            "first and second must hold scores of the same queries, "
            f"but they hold {len(a)} and {len(b)} scores"
        )
    n_resample = positive_integer(n_resample, "n_resample")
    difference = a - b
    # less the rounding of sums whose terms may cancel
    threshold = abs(difference.mean()) - 1e-12 * np.abs(difference).mean()
    rng = np.random.default_rng(seed)
    as_large = 1
    for n in _blocks(n_resample, difference):
        signs = rng.integers(2, size=(n, len(difference)), dtype=np.int8) * np.int8(2) - np.int8(1)
        as_large += int((np.abs(signs @ difference) / len(difference) >= threshold).sum())
    return PairedTest(float(difference.mean()), as_large / (n_resample + 1), len(a))


def _scores(values: Any, name: str) -> Scores:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"{name} must hold one score per query, but its shape is {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} must be finite, but it contains NaN or infinity; use no_relevant='zero'")
    return scores


def _blocks(n: int, values: Scores) -> Iterator[int]:
    step = max(1, _BLOCK_VALUES // len(values))
    for start in range(0, n, step):
        yield min(step, n - start)
