"""Is a difference significant: 95% CIs from the spread over queries and over seeds."""

from __future__ import annotations

import math
from statistics import stdev
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from umml_cli.terms import Spread

# 97.5% quantiles of Student's t for 1, 2, ... 30 degrees of freedom, and the normal one for infinitely many.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.960


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the 95% CI of the mean (Student's t over seeds); None for a single value.

    Example:
        >>> round(half_width([0.50, 0.52, 0.54]), 4)
        0.0497
    """
    if len(values) < 2:
        return None
    return _quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def spread_over_seeds(values: NDArray[np.float64], spread: Spread) -> NDArray[np.float64] | None:
    """Return what stands behind the bars of a curve; None for a single seed.

    Args:
        values: `(n_seed, n_point)`.
        spread: "sd": standard deviation; "interval": half the width of the 95% CI of the mean.

    Returns:
        `(n_point,)` float64.

    Example:
        >>> spread_over_seeds(np.array([[0.1, 0.5], [0.3, 0.5]]), "sd").round(3).tolist()
        [0.141, 0.0]
    """
    if len(values) < 2:
        return None
    deviation: NDArray[np.float64] = values.std(axis=0, ddof=1)
    return deviation if spread == "sd" else _quantile(len(values) - 1) * deviation / math.sqrt(len(values))


def difference_interval(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """95% CI of the difference of two mAPs on the same queries.

    Args:
        first: `(n_seed, n_query)` average precision; NaN for queries that were left out.
        second: `(any_seed, n_query)` likewise.

    Returns:
        Lower and upper end of mean(first) - mean(second).
    """
    asked = ~np.isnan(first[0]) & ~np.isnan(second[0])
    difference = float(first[:, asked].mean() - second[:, asked].mean())
    half = combination_half_width([(1, first), (-1, second)])
    return difference - half, difference + half


def combination_half_width(terms: Sequence[tuple[float, NDArray[np.float64]]]) -> float:
    """Half the width of the 95% CI of a weighted sum of mAPs on the same queries.

    Its variance is that of the paired bootstrap over queries (averaged over seeds; for a mean it has a closed
    form, so nothing is drawn) plus s^2 / n of each term over its n seeds. The quantile is Student's t with
    the degrees of freedom of Welch and Satterthwaite, where the queries' share counts as known. A term with a
    single seed says nothing of the spread between trainings: with no other, only the queries' share is left.

    Args:
        terms: weight and `(n_seed, n_query)` average precision of each mAP; queries that are NaN in one of
            them are left out.
    """
    asked = ~np.any([np.isnan(precision[0]) for _, precision in terms], axis=0)
    terms = [(weight, precision[:, asked]) for weight, precision in terms]
    if not asked.any():
        return math.nan
    by_query = np.sum([weight * precision.mean(axis=0) for weight, precision in terms], axis=0)  # (n_query,)
    over_queries = float(by_query.var()) / len(by_query)
    over_seeds = [
        (weight**2 * float(precision.mean(axis=1).var(ddof=1)) / len(precision), len(precision) - 1)
        for weight, precision in terms
        if len(precision) > 1
    ]
    variance = over_queries + sum(share for share, _ in over_seeds)
    uncertainty = sum(share**2 / freedom for share, freedom in over_seeds)
    freedom = variance**2 / uncertainty if uncertainty else math.inf
    return _quantile(freedom) * math.sqrt(variance)


def _quantile(freedom: float) -> float:
    """Of Student's t; between two whole degrees of freedom linear in 1 / freedom, which is a little wide."""
    inverse = [0.0, *(1 / whole for whole in range(len(_STUDENT), 0, -1))]
    return float(np.interp(1 / freedom, inverse, [_NORMAL, *reversed(_STUDENT)]))
