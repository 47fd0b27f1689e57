"""The one error type that every problem with data ends in."""

from __future__ import annotations


class DataError(ValueError):
    """A file or array is not usable data; the message is one sentence: what was expected, what came."""


def shorten(words: object, limit: int = 8) -> str:
    """List the first names of a collection for a message: `a, b, c, ... (12 in all)`."""
    names = [str(word)[:60] for word in words]  # type: ignore[attr-defined]
    shown = ", ".join(names[:limit]) or "none"
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
