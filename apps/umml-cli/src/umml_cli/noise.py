"""Is a difference more than noise: intervals over seeds, and the paired bootstrap over queries."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import stdev
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RESAMPLES = 1000
CONFIDENCE = 95

# 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond, the normal one is near enough.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.960


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of the mean (Student's t over seeds); None for a single value.

    Example:
        >>> round(half_width([0.50, 0.52, 0.54]), 4)
        0.0497
    """
    if len(values) < 2:
        return None
    quantile = _STUDENT[len(values) - 2] if len(values) - 2 < len(_STUDENT) else _NORMAL
    return quantile * stdev(values) / math.sqrt(len(values))


def difference_interval(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the difference of two mAPs on the same queries.

    Queries are drawn together for both, seeds for each on their own; a single seed leaves the queries' share
    of the noise alone.

    Args:
        first: `(n_seed, n_query)` average precision.
        second: `(any_seed, n_query)` likewise.

    Returns:
        Lower and upper end of mean(first) - mean(second). The same input gives the same interval.
    """
    queries = _weights(first.shape[1], 0)  # (resamples, n_query)
    resampled = [
        ((queries @ precision.T) * _weights(len(precision), stream)).sum(axis=1)  # (resamples,)
        for stream, precision in enumerate((first, second), start=1)
    ]
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(resampled[0] - resampled[1], [tail, 100 - tail])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _weights(n: int, stream: int) -> NDArray[np.float64]:
    """`(RESAMPLES, n)` shares of each of n items in a sample drawn with replacement."""
    generator = np.random.default_rng((n, stream))
    return generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
