"""Packages of engines, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cmh_search._errors import CodeIndexError


def needed(module: str, *, extra: str) -> Any:
    """Import a package that an extra brings.

    Raises:
        CodeIndexError: if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise CodeIndexError(
            f"{module} is needed here, but it cannot be imported ({error}); pip install 'cmh-search[{extra}]'"
        ) from None
