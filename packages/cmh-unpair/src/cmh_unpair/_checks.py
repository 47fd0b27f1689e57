"""Checks of single arguments, each done once, where the argument enters."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np


def as_percentage(name: str, value: Any) -> float:
    """Check a percentage, and give it as a number of Python's."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not 0 <= value <= 100
    ):
        raise ValueError(f"{name} must be a percentage from 0 to 100, but it is {value!r}; 20 means 20%")
    return value.item() if isinstance(value, np.generic) else value


def as_count(name: str, value: Any, of: str = "rows") -> int:
    """Check a number of rows, or of what else there is at least one."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number of {of}, at least 1, but it is {value!r}")
    return int(value)


def as_seed(value: Any) -> int | None:
    """Check a random seed, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"seed must be a whole number, 0 or greater, but it is {value!r}")
    return int(value)


def one_of(name: str, value: Any, choices: Any) -> Any:
    """Check one of a few words."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, but it is {value!r}")
    return value
