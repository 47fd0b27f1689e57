"""Average precision of ranking tables, one query after the other.

A tie group holds `n` items, `r` of them relevant, after `n0` items with `r0` relevant. Averaged over all
orders of the group, its first `m` places add

    r/n * sum_{j=1..m} (r0 + 1 + (j - 1) * (r - 1) / (n - 1)) / (n0 + j)

to the sum of precisions (McSherry and Najork, "Computing information retrieval performance measures
efficiently in the presence of tied scores", ECIR 2008): a difference of harmonic numbers. The other functions
here are the same idea for the two cut-offs that end at a random place or divide by a random number.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR0917 - compiled: calls by keyword and small functions cost here
from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from cmh_metrics._definition import NORMALISE, TIES
from cmh_metrics._kernels.jit import inlined, jit

MIN, RETRIEVED, RELEVANT, FIRST_RELEVANT = (
    NORMALISE.index(name) for name in ("min", "retrieved", "relevant", "first-relevant")
)
EXPECTED, BEST, WORST = (TIES.index(name) for name in ("expected", "best", "worst"))
_NEGLIGIBLE = 1e-18  # a probability relative to the mode's below which a tail is not summed


@inlined
def precisions(first: float, slope: float, n0: int, m: int, table: Any) -> float:
    """Return the sum of `(first + (j - 1) * slope) / (n0 + j)` over the places j = 1..m after `n0` items.

    This is `slope * m + (first - slope * (n0 + 1)) * (H(n0 + m) - H(n0))`, H(i) being a harmonic number, the
    sum of `table[i, 0]` and `table[i, 1]`.
    """
    if n0 + m >= table.shape[0]:
        return float(precisions_beyond(first, slope, n0, m, table))
    harmonic = (table[n0 + m, 0] - table[n0, 0]) + (table[n0 + m, 1] - table[n0, 1])
    return float(slope * m + (first - slope * (n0 + 1)) * harmonic)


@jit
def precisions_beyond(first: Any, slope: float, n0: int, m: int, table: Any) -> Any:
    """Return the same where the places reach beyond the table.

    There H comes from the Euler-Maclaurin formula, and what would cancel far down a ranking is taken
    together: m - n0 * log(1 + m / n0) is `n0 * excess`.
    """
    total = 0.0
    last = table.shape[0] - 1
    if n0 < last:
        harmonic = (table[last, 0] - table[n0, 0]) + (table[last, 1] - table[n0, 1])
        total = slope * (last - n0) + (first - slope * (n0 + 1)) * harmonic
        first += slope * (last - n0)
        m -= last - n0
        n0 = last
    x = m / n0
    if x > 0.125:
        logarithm = log(1.0 + x)
        excess = x - logarithm
    else:  # log(1 + x) = 2 artanh(y), of which 2 y is x - x * y
        y = m / (2.0 * n0 + m)
        s = y * y
        rest = 1 / 7 + s * (1 / 9 + s * (1 / 11 + s * (1 / 13 + s / 15)))
        rest = 2.0 * y * s * (1 / 3 + s * (1 / 5 + s * rest))
        logarithm = 2.0 * y + rest
        excess = x * y - rest
    a = 1.0 / n0
    b = 1.0 / (n0 + m)
    correction = -x * b * (0.5 - (a + b) / 12.0)  # to the logarithm; the next term is below 1e-20 of x
    return total + slope * n0 * excess + (first - slope) * (logarithm + correction) - slope * n0 * correction


@inlined
def expected_prefix(n: int, r: int, n0: int, r0: int, m: int, table: Any) -> float:
    """Return the expected sum of precisions at the relevant items among the first `m` places of a group."""
    if r == 0 or m == 0:
        return 0.0
    slope = (r - 1) / (n - 1) if n > 1 else 0.0
    return r / n * precisions(r0 + 1.0, slope, n0, m, table)


@inlined
def consecutive(r: int, n0: int, r0: int, table: Any) -> float:
    """Return the sum of precisions of `r` relevant items in a row, after `n0` items with `r0` relevant."""
    return precisions(r0 + 1.0, 1.0, n0, r, table)


@jit
def best_retrieved(n: int, r: int, n0: int, r0: int, m: int, before: float, table: Any) -> float:
    """Return the highest average precision among the relevant items found, where the cut falls into a group.

    With x relevant items among the group's first `m` places, first of all, it is
    `(before + consecutive(x)) / (r0 + x)`: convex over linear, so the highest value is at an end.
    """
    low = max(0, m - (n - r))
    high = min(m, r)
    value = 0.0
    if r0 + low > 0:
        value = (before + consecutive(low, n0, r0, table)) / (r0 + low)
    if r0 + high > 0:
        value = max(value, (before + consecutive(high, n0, r0, table)) / (r0 + high))
    return value


@jit
def worst_retrieved(n: int, r: int, n0: int, r0: int, m: int, before: float, table: Any) -> float:
    """Return the lowest average precision among the relevant items found, where the cut falls into a group.

    With x relevant items, last of the `m` places, it is again convex over linear in x. It falls as long as
    one item more adds less than the value: that item takes a place of its own and lets the others count one
    more each.
    """
    low = max(0, m - (n - r))
    high = min(m, r)
    if r0 + low == 0:
        return 0.0
    end = n0 + m
    while low < high:
        x = (low + high) // 2
        one_more = (r0 + 1) / (end - x) + precisions(1.0, 0.0, end - x, x, table)
        if one_more * (r0 + x) < before + consecutive(x, end - x, r0, table):
            low = x + 1
        else:
            high = x
    return (before + consecutive(low, end - low, r0, table)) / (r0 + low)


@jit
def expected_retrieved(n: int, r: int, n0: int, r0: int, m: int, before: float, table: Any) -> float:
    """Return the expected average precision among the relevant items found, where the cut falls into a group.

    The number x of relevant items among the group's first `m` places is hypergeometric; given x, its places
    are uniform, so the expected sum is that of a group of `m` items with x relevant. `before` is the sum so
    far.
    """
    low = max(0, m - (n - r))
    high = min(m, r)
    mode = min(max(int((m + 1.0) * (r + 1.0) / (n + 2.0)), low), high)  # in floats: products pass 2^63
    weight_sum = 0.0
    value = 0.0
    for direction in (1, -1):  # from the mode upwards, then from just below it downwards
        x = mode if direction == 1 else mode - 1
        weight = 1.0
        if direction == -1 and x >= low:
            weight = (x + 1.0) * (n - r - m + x + 1.0) / ((r - x) * float(m - x))
        while low <= x <= high and weight > _NEGLIGIBLE:
            found = r0 + x
            if found > 0:
                value += weight * (before + expected_prefix(m, x, n0, r0, m, table)) / found
            weight_sum += weight
            if direction == 1:
                weight *= (r - x) * float(m - x) / ((x + 1.0) * (n - r - m + x + 1.0))
            else:
                weight *= x * float(n - r - m + x) / ((r - x + 1.0) * (m - x + 1.0))
            x += direction
    return value / weight_sum


@jit
def place_probabilities(n: int, r: int, q: int) -> Any:
    """Return (first place, probabilities): where the `q`-th of `r` relevant among `n` items can stand.

    Negative hypergeometric; neighbouring places follow by a ratio, so no binomial coefficient is ever
    computed. Places whose probability is negligible are left out.
    """
    low = q
    high = n - (r - q)
    mode = min(max(int(q * (n + 1.0) / (r + 1.0)), low), high)
    first = mode
    weight = 1.0
    while first > low and weight > _NEGLIGIBLE:
        first -= 1  # from place first + 1 to place first
        weight *= (first - q + 1.0) / first * (n - first) / (n - first - r + q)
    last = mode
    weight = 1.0
    while last < high and weight > _NEGLIGIBLE:
        weight *= last / (last - q + 1.0) * (n - last - r + q) / (n - last)
        last += 1
    weights = np.empty(last - first + 1)
    weights[mode - first] = 1.0
    for j in range(mode - 1, first - 1, -1):
        weights[j - first] = weights[j + 1 - first] * ((j - q + 1.0) / j * (n - j) / (n - j - r + q))
    for j in range(mode, last):
        weights[j + 1 - first] = weights[j - first] * (j / (j - q + 1.0) * (n - j - r + q) / (n - j))
    return first, weights / weights.sum()


@jit
def expected_first_relevant(n: int, r: int, n0: int, r0: int, q: int, table: Any) -> float:
    """Return the expected sum of precisions at the first `q` of the `r` relevant items of a group, q < r.

    Given that the (q + 1)-th relevant item stands at place t, the q before it are shuffled over t - 1 places.
    """
    first, weights = place_probabilities(n, r, q + 1)
    total = 0.0
    for i in range(weights.size):
        places = first + i - 1
        total += weights[i] * expected_prefix(places, q, n0, r0, places, table)
    return total


@jit
def whole_ranking_rows(retrieved: Any, relevant: Any, table: Any, out: Any) -> None:
    """Fill `out` as `average_precision_rows` does for expected ties over whole rankings inside the table.

    The case that everybody asks for, without branches and with one division for a group: with h the
    difference of harmonic numbers, the group adds

        r * ((r - 1) * n + ((n - 1) * (r0 + 1) - (r - 1) * (n0 + 1)) * h) / (n * (n - 1)),

    in which only h is rounded before the last steps: where all items are relevant, it drops out.
    """
    for i in range(retrieved.shape[0]):
        total = 0.0
        n0 = 0
        r0 = 0
        high, low = 0.0, 0.0
        for d in range(retrieved.shape[1]):
            n = retrieved[i, d]
            r = relevant[i, d]
            next_high, next_low = table[n0 + n, 0], table[n0 + n, 1]
            harmonic = (next_high - high) + (next_low - low)
            slope = (n - 1.0) * (r0 + 1.0) - (r - 1.0) * (n0 + 1.0)
            inside = (r - 1.0) * n + slope * harmonic
            total += r * (inside / (n * (n - 1.0)) if n > 1 else (r0 + 1.0) * harmonic)
            n0 += n
            r0 += r
            high, low = next_high, next_low
        out[i] = total / r0 if r0 else np.nan


@jit
def average_precision_rows(
    retrieved: Any, relevant: Any, k: int, normalise: int, ties: int, table: Any, out: Any
) -> None:
    """Fill `out` `(n_query,)` with average precisions; NaN for a query without a relevant item."""
    for i in range(retrieved.shape[0]):
        n_relevant = 0
        for d in range(retrieved.shape[1]):
            n_relevant += relevant[i, d]
        if n_relevant == 0:
            out[i] = np.nan
            continue
        total = 0.0
        n0 = 0
        r0 = 0
        found = n_relevant  # relevant items counted, for the normalisation "retrieved"
        for d in range(retrieved.shape[1]):
            n = retrieved[i, d]
            r = relevant[i, d]
            if n == 0:
                continue
            places = n  # of this group's places, how many count
            if normalise == FIRST_RELEVANT:
                q = k - r0
                if q == 0:
                    break
                if r > q:
                    if ties == EXPECTED:
                        total += expected_first_relevant(n, r, n0, r0, q, table)
                    elif ties == BEST:
                        total += consecutive(q, n0, r0, table)
                    else:
                        total += consecutive(q, n0 + n - r, r0, table)
                    break
            elif n0 + n > k:
                places = k - n0
            if places < n and normalise == RETRIEVED:  # only the number of relevant items found is unknown
                found = 1
                if ties == EXPECTED:
                    total = expected_retrieved(n, r, n0, r0, places, total, table)
                elif ties == BEST:
                    total = best_retrieved(n, r, n0, r0, places, total, table)
                else:
                    total = worst_retrieved(n, r, n0, r0, places, total, table)
            elif ties == EXPECTED:
                total += expected_prefix(n, r, n0, r0, places, table)
            elif ties == BEST:
                total += consecutive(min(r, places), n0, r0, table)
            else:
                x = max(0, r - (n - places))
                total += consecutive(x, n0 + places - x, r0, table)
            n0 += n
            r0 += r
            if n0 >= k and normalise != FIRST_RELEVANT:
                if places == n:
                    found = r0
                break
        if normalise == RETRIEVED:
            out[i] = total / found if found else 0.0
        elif normalise == RELEVANT:
            out[i] = total / n_relevant
        else:
            out[i] = total / min(k, n_relevant)
