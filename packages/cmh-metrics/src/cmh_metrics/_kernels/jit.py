"""One way to compile: numba, with its cache on disk where that can be written."""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
Function = TypeVar("Function", bound="Callable[..., object]")


def jit(function: Function, *, inline: bool = False) -> Function:
    """Compile `function` at its first call; it releases the interpreter lock.

    An installation that no cache folder can be found for compiles anew in every process, and says so once.
    Without numba the function stays Python: slow, but the same numbers.

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
        _say_that_nothing_is_kept()
        compiled = compile_function(**options)(function)
    return compiled


inlined = partial(jit, inline=True)


@cache
def _say_that_nothing_is_kept() -> None:
    """Warn once: this costs every process the time that the others wait once only."""
    _log.warning(
        "no folder can be written to keep compiled kernels in, so each process compiles them anew, for some "
        "ten seconds; set the environment variable NUMBA_CACHE_DIR to a folder that can be written"
    )
