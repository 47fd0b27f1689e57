"""How alike codes of different classes may be: what codes of a length can keep apart."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# For each code length the smallest distance in bits that 2, 4, ..., 256 codes can keep at best, as the
# program lists them (from tables of error-correcting codes).
_DISTANCES: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        8: (8, 5, 4, 4, 2, 2, 2, 1),
        12: (12, 8, 6, 6, 4, 4, 4, 3),
        16: (16, 10, 8, 8, 8, 6, 6, 5),
        24: (24, 16, 13, 12, 12, 10, 10, 8),
        32: (32, 21, 18, 16, 16, 16, 14, 13),
        48: (48, 32, 27, 24, 24, 24, 22, 22),
        64: (64, 42, 36, 33, 32, 32, 32, 29),
        96: (96, 64, 54, 50, 48, 48, 48, 46),
        128: (128, 85, 72, 68, 64, 64, 64, 64),
    }
)


def similarity_threshold(bits: int, n_label: int) -> float:
    """Return the cosine below which codes that share no label are left alone.

    It is `1 - 2 d / bits`, where d is the smallest distance that as many codes as there are labels, rounded
    up to a power of two, can keep. The program lists d for nine code lengths and up to 256 labels; another
    length takes the next shorter one of the list (the shortest where there is none) and more labels take the
    last column (ours).

    Args:
        bits: code length.
        n_label: number of labels, `>= 1`.

    Returns:
        Between -1 and 1.

    Example:
        >>> similarity_threshold(16, 24), similarity_threshold(64, 10)
        (0.0, -0.03125)
    """
    length = max((known for known in _DISTANCES if known <= bits), default=min(_DISTANCES))
    column = min(max(math.ceil(math.log2(n_label)), 1), 8) - 1
    return 1 - 2 * _DISTANCES[length][column] / length
