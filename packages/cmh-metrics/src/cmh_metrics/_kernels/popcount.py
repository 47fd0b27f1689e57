"""Counting and finding the ones of one word, inside compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic
except ImportError:  # functions stay Python then, see _jit.py

    def popcount(x: Any) -> Any:
        """Return the number of set bits of a uint64."""
        return np.bitwise_count(x)

    def lowest_one(x: Any) -> Any:
        """Return the number of the lowest set bit of a uint64 other than 0."""
        return (int(x) & -int(x)).bit_length() - 1

else:

    @intrinsic  # type: ignore[untyped-decorator, unused-ignore]
    def popcount(_: Any, x: Any) -> Any:  # noqa: ARG001 - numba reads the operand from the arguments
        """Return the number of set bits of a uint64 as an int64: one instruction, also for vectors."""
        return types.int64(types.uint64), lambda _c, builder, _s, arguments: builder.ctpop(arguments[0])

    @intrinsic  # type: ignore[untyped-decorator, unused-ignore]
    def lowest_one(_: Any, x: Any) -> Any:  # noqa: ARG001
        """Return the number of the lowest set bit of a uint64 other than 0, as an int64."""

        def generate(_c: Any, builder: Any, _s: Any, arguments: Any) -> Any:
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate
