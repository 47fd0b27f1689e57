"""Tables that are too wide, in blocks below each other: which columns stand in which block."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def column_blocks(widths: Sequence[float], groups: Sequence[str], room: float) -> list[list[int]]:
    """Distribute columns over as few blocks as hold them; a group is divided only where it must be.

    Args:
        widths: of each column, with the space between columns.
        groups: of each column; equal neighbours are one group.
        room: width of a block.

    Returns:
        Indices of the columns of each block; a column that alone is wider than the room has its own.

    Example:
        >>> column_blocks([2, 2, 2, 2, 2, 2], ["a", "a", "a", "a", "b", "b"], 6)
        [[0, 1], [2, 3], [4, 5]]
        >>> column_blocks([2, 2, 2, 2], ["a", "a", "b", "b"], 8)
        [[0, 1, 2, 3]]
    """
    parts: list[list[int]] = []  # what stays together
    for _, members in groupby(range(len(widths)), lambda column: groups[column]):
        parts += _divided(list(members), widths, room)
    blocks: list[list[int]] = []
    for part in parts:
        if blocks and sum(widths[column] for column in blocks[-1] + part) <= room:
            blocks[-1] += part
        else:
            blocks.append(list(part))
    return blocks


def _divided(columns: list[int], widths: Sequence[float], room: float) -> list[list[int]]:
    """A group in as few parts as fit, of about equal size."""
    for n_parts in range(1, len(columns) + 1):
        size = -(-len(columns) // n_parts)
        parts = [columns[start : start + size] for start in range(0, len(columns), size)]
        if all(sum(widths[column] for column in part) <= room for part in parts):
            return parts
    return [[column] for column in columns]
