"""The error of this package."""

from __future__ import annotations

import numpy as np


class CodeIndexError(ValueError):
    """An index cannot be opened, read or changed as asked."""


def check_whole(value: object, name: str, *, least: int = 1) -> None:
    """Refuse what is no whole number of at least so much.

    Raises:
        CodeIndexError: if so.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise CodeIndexError(f"{name} must be at least {least}, a whole number, but it is {value!r}")
