"""How the codes of an item make one distance."""

from __future__ import annotations

from typing import Literal, get_args

from cmh_search._errors import CodeIndexError
from cmh_search._segment import SIDES, Group, Side

Combine = Literal["nearest", "mean", "cross", "centred"]
"""How the codes of an item make one distance."""


def counted_sides(combine: str, query_modality: str | None) -> tuple[Side, ...]:
    """Return which codes of an item with two count.

    Raises:
        CodeIndexError: if a choice is unknown, or "cross" is not told the modality of the queries.
    """
    if combine not in get_args(Combine):
        raise CodeIndexError(f"combine must be nearest, mean, cross or centred, but it is {combine!r}")
    if query_modality not in (None, *SIDES):
        raise CodeIndexError(f"query_modality must be image or text, but it is {query_modality!r}")
    if combine != "cross":
        return SIDES
    if query_modality is None:
        raise CodeIndexError("combine='cross' must know query_modality, 'image' or 'text'")
    return ("text",) if query_modality == "image" else ("image",)


def sides_of(group: Group, sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Return the codes of a group that count: an item with one code is compared by that one."""
    return sides if group == "both" else (group,)
