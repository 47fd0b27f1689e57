"""What every export writes: one row for each code of an item, its image's and its text's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_search._errors import CodeIndexError
from cmh_search._segment import SIDES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cmh_search._index import CodeIndex
    from cmh_search._segment import Side


_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)), bitorder="little")  # each byte's bits


@dataclass(frozen=True, kw_only=True)
class CodeRow:
    """One code.

    Args:
        number: of the code, from 0, first all image codes, then all text codes.
        id: of the item.
        side: the modality that the code is of.
        code: `(bytes,)` uint8; the first bit of the code is the highest of the first byte, as
            `numpy.packbits` has it. Bits beyond the code length are 0.
        labels: of the item.
        payload: of the item.
    """

    number: int
    id: str
    side: Side
    code: NDArray[np.uint8]
    labels: tuple[str, ...]
    payload: dict[str, Any]


def packed_bytes(index: CodeIndex, side: Side) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the codes of a modality `(n, bytes)`, and the rows of the index that they belong to."""
    codes, rows = index.codes(side)
    return _REVERSED[codes.as_bytes()], rows


def sides_present(index: CodeIndex) -> tuple[Side, ...]:
    """Return the modalities of which an index has codes.

    Raises:
        CodeIndexError: if it has none.
    """
    sides = tuple(side for side in SIDES if index.counts[side] or index.counts["both"])
    if not sides:
        raise CodeIndexError(f"{index.path} holds no items, so there is nothing to export; add some first")
    return sides


def code_rows(index: CodeIndex) -> Iterator[CodeRow]:
    """Yield all codes of an index, image codes first, each in the order of the items."""
    number = 0
    for side in sides_present(index):
        codes, rows = packed_bytes(index, side)
        for code, row in zip(codes, map(int, rows), strict=True):
            yield CodeRow(
                number=number,
                id=index.id(row),
                side=side,
                code=code,
                labels=index.labels(row),
                payload=index.payload(row),
            )
            number += 1


def padded_bits(index: CodeIndex) -> int:
    """Return the code length rounded up to whole bytes, for engines that know no others."""
    return -(-index.bits // 8) * 8
