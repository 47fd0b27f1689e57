"""Reports out of JSON: every value is checked for what it must be, by the type that its field declares."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class NoReport(Exception):  # noqa: N818 - becomes a ValueError where the text enters
    """Say what in a text is not as `to_json` writes it."""


def loaded(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object of a text, without NaN and infinity."""

    def refuse(constant: str) -> NoReturn:
        raise NoReport(f"{constant} is no number of JSON")

    try:
        content = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError, TypeError) as error:
        raise NoReport(f"it is not JSON ({error})") from error
    return mapping(content, "the report")


def mapping(value: Any, name: str) -> dict[str, Any]:
    """Return a JSON object."""
    return value if isinstance(value, dict) else _refuse(value, name, "an object")


def text_of(value: Any, name: str) -> str:
    """Return a text."""
    return value if isinstance(value, str) else _refuse(value, name, "a text")


def texts(value: Any, name: str) -> dict[str, str]:
    """Return an object of texts."""
    return {key: text_of(one, f"{name}: {key}") for key, one in mapping(value, name).items()}


def field_value(value: Any, declared: str, name: str) -> Any:
    """Return a field of the declared type."""
    if declared in _SINGLE:
        return _SINGLE[declared](value, name)
    values = value if isinstance(value, list) else _refuse(value, name, "a list")
    if declared == "tuple[str, ...]":
        return tuple(text_of(one, name) for one in values)
    numbers = [number(one, name) for one in values]
    if declared == "Scores":
        return np.array(numbers, np.float64)
    return tuple(numbers) if len(numbers) == 2 else _refuse(value, name, "two numbers")


def measure_value(value: Any, name: str) -> Any:
    """Return one number, numbers by cut-off (None for the key "all"), or a series, None in it for null."""
    if isinstance(value, dict):
        return {_cut(key, name): number(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return tuple(None if one is None else number(one, name) for one in value)
    return None if value is None else number(value, name)


def number(value: Any, name: str) -> float:
    """Return a finite number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf"):
        return value
    return _refuse(value, name, "a number")


def whole_number(value: Any, name: str) -> int:
    """Return an integer."""
    return value if type(value) is int else _refuse(value, name, "a whole number")


_SINGLE: dict[str, Callable[[Any, str], Any]] = {
    "str": text_of,
    "int": whole_number,
    "float": number,
    "dict[str, str]": texts,
}


def _cut(key: str, name: str) -> int | None:
    if key == "all":
        return None
    return int(key) if re.fullmatch("[0-9]{1,18}", key) else _refuse(key, name, "a cut-off")


def _refuse(value: Any, name: str, expected: str) -> NoReturn:
    raise NoReport(f"{name} must be {expected}, but it is {repr(value)[:80]}")
