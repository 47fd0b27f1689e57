"""Which bit an output of exactly 0 becomes."""

from __future__ import annotations

import torch

from cmh_train._device import at_least_float32

_TINY = torch.finfo(torch.float32).tiny


def zero_as_bit_0(values: torch.Tensor) -> torch.Tensor:
    """Make values of exactly 0 slightly negative, so that they become bit 0.

    A bit is 1 where a value is `>= 0`; programs that write `> 0` differ where it is 0, for example where two
    outputs tie. Autocast's bfloat16 becomes float32, as `at_least_float32` does.

    Args:
        values: `(...)` floating point, the outputs of a method.

    Returns:
        `(...)` float32 or float64.

    Example:
        >>> (zero_as_bit_0(torch.tensor([-0.5, 0.0, 0.5])) >= 0).tolist()
        [False, False, True]
    """
    values = at_least_float32(values)
    return values.masked_fill(values == 0, -_TINY)
