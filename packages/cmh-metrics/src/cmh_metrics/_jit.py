"""One way to compile: numba with its on-disk cache where that can be written, plain Python where numba is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., object]")


def jit(function: Function) -> Function:
    """Compile `function` at its first call; it releases the interpreter lock.

    An installation that no cache folder can be found for compiles anew in every process. Without numba the function
    stays Python: slow, but the same numbers.
    """
    try:
        import numba  # noqa: PLC0415 - takes a third of a second, so only when a kernel is needed
    except ImportError:
        return function
    options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    try:
        compiled: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": neither the package folder nor a user folder is writable
        compiled = numba.njit(**options)(function)
    return compiled
