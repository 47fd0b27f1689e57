"""One way to compile: numba, with its cache on disk where that can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., object]")


def jit(function: Function, *, inline: bool = False) -> Function:
    """Compile `function` at its first call; it releases the interpreter lock.

    An installation that no cache folder can be found for compiles anew in every process. Without numba the
    function stays Python: slow, but the same numbers.

    Args:
        function: what to compile.
        inline: whether to copy it into its callers, for what takes less time than a call.
    """
    try:
        import numba  # noqa: PLC0415 - takes a third of a second, so only when a kernel is needed
    except ImportError:
        return function
    options: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    if inline:
        options["inline"] = "always"
    compile_function: Callable[..., Any] = numba.njit
    try:
        compiled: Function = compile_function(cache=True, **options)(function)
    except RuntimeError:  # "no locator available": neither the package folder nor a user folder is writable
        compiled = compile_function(**options)(function)
    return compiled
