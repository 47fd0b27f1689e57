"""Threads for kernels that release the interpreter lock.

Plain Python threads instead of numba's own: they may be used from several threads of the caller at once,
survive a fork, and spare the parallel compiler's long compile times.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
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
    pool = _pool(threads - 1)
    others = [pool.submit(work, *edges[part : part + 2]) for part in range(1, threads)]
    try:
        work(edges[0], edges[1])
    finally:
        wait(others)
    for other in others:
        other.result()


class _Pools(threading.local):
    """The pools of one calling thread, by size."""

    def __init__(self) -> None:
        self.of_size: dict[int, ThreadPoolExecutor] = {}


_pools = _Pools()


def _pool(size: int) -> ThreadPoolExecutor:
    """Return threads that stay for the calling thread: to start one takes as long as to rank for 50 queries.

    They end with the thread that calls.
    """
    if size not in _pools.of_size:
        _pools.of_size[size] = ThreadPoolExecutor(size, thread_name_prefix="cmh-metrics")
    return _pools.of_size[size]


def _forget_threads() -> None:
    """A child of a fork has no threads but the one that forked."""
    _pools.of_size.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
