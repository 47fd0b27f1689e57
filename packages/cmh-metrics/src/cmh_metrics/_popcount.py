"""Counting the ones of one word, inside compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numba import types
    from numba.extending import intrinsic
except ImportError:  # functions stay Python then, see _jit.py

    def popcount(x: Any) -> Any:
        """Return the number of set bits of a uint64."""
        return np.bitwise_count(x)

else:

    @intrinsic  # type: ignore[untyped-decorator, unused-ignore]
    def popcount(_: Any, x: Any) -> Any:  # noqa: ARG001 - numba reads the operand from the arguments
        """Return the number of set bits of a uint64 as an int64: one instruction, also for vectors."""
        return types.int64(types.uint64), lambda _c, builder, _s, arguments: builder.ctpop(arguments[0])
