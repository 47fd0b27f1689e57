"""Sums of precisions in whole numbers, which come out the same in whatever order and parts they are added.

A precision between 0 and 1 is rounded to a multiple of `2**-52`: adding 1 does that, and the bits of the
float `1 + p` lie as many above those of 1 as there are units in p. Sums are kept in two whole numbers, so
that as many precisions fit as memory holds items.
"""

from __future__ import annotations

import struct
from typing import Any

UNIT = 2.0**52
PART_BITS = 26
LOW_PART = (1 << PART_BITS) - 1
ONE = int.from_bytes(struct.pack("<d", 1.0), "little")  # the bits of 1.0


def as_floats(sums: Any) -> Any:
    """Return sums of precisions, `(n,)` float64, of `(n, 2)` int64 high and low parts."""
    high, low = sums[:, 0] + (sums[:, 1] >> PART_BITS), sums[:, 1] & LOW_PART
    return high / 2.0**PART_BITS + low / UNIT
