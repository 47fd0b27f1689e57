"""Blocks of values to rows of 64-bit words, shared by codes and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.checks import as_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Block = np.ndarray[Any, Any]
Bits = np.ndarray[Any, np.dtype[np.bool_]]
Words = np.ndarray[Any, np.dtype[np.uint64]]
_BLOCK_VALUES = 1 << 21  # values packed at a time, so that temporary arrays stay small


def blocks(source: Any, start: int, stop: int, name: str) -> Iterator[tuple[int, Block]]:
    """Yield (number of the first row, values) of consecutive blocks of rows `start` to `stop`."""
    step = max(1, _BLOCK_VALUES // int(source.shape[1]))
    for first in range(start, stop, step):
        yield first, as_numpy(source[first : min(first + step, stop)], name)


def pack_rows(source: Any, start: int, stop: int, name: str, as_bits: Callable[[Block], Bits]) -> Words:
    """Return rows `start` to `stop` of a matrix as `(stop - start, ceil(columns / 64))` uint64.

    Column `j` becomes bit `j % 64`, counted from the least significant, of word `j // 64`; missing bits are
    zero.
    """
    width = int(source.shape[1])
    packed = np.zeros((stop - start, -(-width // 64)), np.uint64)
    in_bytes = packed.view(np.uint8)
    for first, block in blocks(source, start, stop, name):
        bits = as_bits(block)
        if width % 8:  # whole bytes per row, so that numpy packs the block as one run, ten times as fast
            padded = np.zeros((len(bits), -(-width // 8) * 8), np.bool_)
            padded[:, :width] = bits
            bits = padded
        rows = np.packbits(np.ascontiguousarray(bits).reshape(-1), bitorder="little").reshape(len(bits), -1)
        in_bytes[first - start : first - start + len(rows), : rows.shape[1]] = rows
    return packed if np.little_endian else packed.byteswap()


def zero_one(block: Block, name: str) -> Bits:
    """Return the block as booleans, or raise if it holds anything but 0 and 1."""
    if block.dtype.kind == "b":
        return block
    if not is_zero_one(block):
        other = block[(block != 0) & (block != 1)][0].item()
        raise ValueError(f"{name} must contain only 0 and 1, but it contains {other}")
    if block.dtype.itemsize == 1:
        return np.ascontiguousarray(block).view(np.bool_)
    return np.not_equal(block, 0)


def is_zero_one(block: Block) -> bool:
    """Whether a block holds nothing but 0 and 1."""
    if block.dtype.kind == "f":
        return bool(((block == 0) | (block == 1)).all())
    return bool(block.min() >= 0 and block.max() <= 1)
