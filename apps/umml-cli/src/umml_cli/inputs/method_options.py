"""What the app adds to the methods of `cmh_train`: their versions, and options written as NAME=VALUE."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from pydantic import JsonValue


@cache
def method_version(name: str) -> str:
    """Version of the package that provides the method `name`."""
    for point in entry_points(group="cmh.methods"):
        if point.name == name and point.dist is not None:
            return point.dist.version
    return "unknown"


def parse_method_options(assignments: list[str]) -> dict[str, dict[str, JsonValue]]:
    """Turn `["epochs=5", "dadh.ridge=0.1"]` into options by method; those of every method under ""."""
    options: dict[str, dict[str, JsonValue]] = {}
    for name, value in parse_options(assignments).items():
        method, _, option = name.rpartition(".")
        options.setdefault(method, {})[option] = value
    return options


def parse_options(assignments: list[str]) -> dict[str, JsonValue]:
    """Turn `["epochs=5", "text_widths=[64, 32]"]` into a mapping; a value that is not JSON is text."""
    options: dict[str, JsonValue] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise UserError(f"--set takes NAME=VALUE, got {assignment!r}.")
        try:
            options[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            options[name.strip()] = value
    return options
