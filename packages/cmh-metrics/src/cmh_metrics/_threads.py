"""Threads for kernels that release the interpreter lock.

Plain Python threads instead of numba's own: they may be used from several threads of the caller at once,
survive a fork, and spare the parallel compiler's long compile times.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def over_ranges(work: Callable[[int, int], None], n: int, threads: int) -> None:
    """Call `work(first, last)` for consecutive ranges of `range(n)`, each in a thread of its own."""
    threads = max(1, min(threads, n))
    if threads == 1:
        work(0, n)
        return
    edges = [n * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work, *edges[part : part + 2]) for part in range(1, threads)]
        work(edges[0], edges[1])
        for other in others:
            other.result()
