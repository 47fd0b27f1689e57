"""Threads for kernels that release the interpreter lock.

Plain Python threads instead of numba's own: they may be used from several threads of the caller at once,
survive a fork, and spare the parallel compiler's long compile times.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


_RANGES_PER_THREAD = 4


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
    stopped = threading.Event()

    def take_turns() -> None:
        try:
            while not stopped.is_set() and (part := next(numbers)) < n_range:
                work(edges[part], edges[part + 1])
        except BaseException:
            stopped.set()
            raise

    others: list[Future[None]] = []
    try:
        with suppress(RuntimeError):  # no more threads to be had: fewer share the ranges
            others.extend(_pool(threads - 1).submit(take_turns) for _ in range(threads - 1))
        take_turns()
    finally:
        started = [other for other in others if not other.cancel()]
        wait(started)
    for other in started:
        other.result()


class _Pool(threading.local):
    """The threads of one calling thread, if it has any yet."""

    threads: ThreadPoolExecutor | None = None
    size = 0


_mine = _Pool()


def _pool(size: int) -> ThreadPoolExecutor:
    """Return at least so many threads, which stay: to start one takes as long as to rank for 50 queries.

    They end with the thread that calls, and keep to the processors that it may use when it first calls.
    """
    if _mine.threads is None or _mine.size < size:
        if _mine.threads is not None:
            _mine.threads.shutdown(wait=False)
        _mine.threads, _mine.size = ThreadPoolExecutor(size, thread_name_prefix="cmh-metrics"), size
    return _mine.threads


def _forget_threads() -> None:
    """A child of a fork has no threads but the one that forked."""
    _mine.threads = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
