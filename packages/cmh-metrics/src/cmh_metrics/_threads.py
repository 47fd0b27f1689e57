"""Threads for kernels that release the interpreter lock.

Plain Python threads instead of numba's own: they may be used from several threads of the caller at once,
survive a fork, and spare the parallel compiler's long compile times.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


_RANGES_PER_THREAD = 4


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def over_ranges(work: Callable[[int, int], None], n: int, threads: int) -> None:
    """Call `work(first, last)` for consecutive ranges of `range(n)`, several for each thread.

    A thread takes the next range when it is done with one, so that a processor which others slow down holds
    nobody up for long.
    """
    threads = max(1, min(threads, n))
    if threads == 1:
        work(0, n)
        return
    n_range = min(n, threads * _RANGES_PER_THREAD)
    edges = [n * part // n_range for part in range(n_range + 1)]
    numbers = count()  # its next() is one step of the interpreter, so no two threads get the same

    def take_turns() -> None:
        while (part := next(numbers)) < n_range:
            work(edges[part], edges[part + 1])

    pool = _pool(threads - 1)
    others = [pool.submit(take_turns) for _ in range(threads - 1)]
    try:
        take_turns()
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
