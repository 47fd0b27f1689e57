"""Sums of precisions in whole numbers, which come out the same in whatever order and parts they are added.

A precision between 0 and 1 is split in two: rounded to `2**-HIGH_BITS`, and the rest to `2**-LOW_BITS`.
Adding a large float and taking it away rounds to the spacing of floats of its size.
"""

from __future__ import annotations

from typing import Any

HIGH_BITS = 34  # up to 2**29 precisions fit into 63 bits
LOW_BITS = 72  # the rest is at most 2**-35, so that up to 2**26 of the largest fit
ROUNDS_HIGH = 1.5 * 2.0 ** (52 - HIGH_BITS)
ROUNDS_LOW = 1.5 * 2.0 ** (52 - LOW_BITS)
HIGH_UNIT = 2.0**HIGH_BITS
LOW_UNIT = 2.0**LOW_BITS


def as_floats(sums: Any) -> Any:
    """Return sums of precisions, `(n,)` float64, of `(n, 2)` int64 high and low parts."""
    return sums[:, 0] / HIGH_UNIT + sums[:, 1] / LOW_UNIT
