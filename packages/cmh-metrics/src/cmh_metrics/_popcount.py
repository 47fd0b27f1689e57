"""Counting the ones of one word."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmh_metrics._jit import jit

_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)


@jit
def popcount(x: Any) -> Any:
    """Return the number of set bits of a uint64; compilers turn these lines into one instruction."""
    x = x - ((x >> np.uint64(1)) & _M1)
    x = (x & _M2) + ((x >> np.uint64(2)) & _M2)
    x = (x + (x >> np.uint64(4))) & _M4
    return (x * _H01) >> np.uint64(56)
