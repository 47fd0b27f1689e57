"""Who counts, and on how many threads: checked once, where it enters."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal, get_args

from cmh_metrics._inputs.checks import one_of, positive_integer

Backend = Literal["auto", "numba", "numpy", "torch", "triton"]
BACKENDS: tuple[str, ...] = get_args(Backend)


class BackendUnavailable(RuntimeError):  # noqa: N818 - a public name that reads well in an except clause
    """Say that a backend was asked for by name and cannot run here.

    Example:
        >>> issubclass(BackendUnavailable, RuntimeError)
        True
    """


@dataclass(frozen=True)
class Compute:
    """A backend and a number of threads.

    Args:
        backend: one of `BACKENDS`.
        threads: how many threads a CPU backend uses.
        asked: whether a caller chose the number of threads.
    """

    backend: Backend
    threads: int
    asked: bool = True

    @classmethod
    def resolve(cls, backend: Backend, threads: int | None) -> Compute:
        """Check what a caller gave; None is every processor that the process may use."""
        one_of(backend, "backend", BACKENDS)
        count = available_threads() if threads is None else positive_integer(threads, "threads")
        return cls(backend, count, asked=threads is not None)

    @property
    def beside_others(self) -> Compute:
        """The same where others compute on the same machine: one thread, unless a caller chose."""
        return self if self.asked else replace(self, threads=1)

    def needs_cpu(self, what: str) -> None:
        """Raise if a backend that was asked for by name, for its device, leaves this to the CPU."""
        if self.backend in ("torch", "triton"):
            raise BackendUnavailable(
                f"backend {self.backend!r} has no kernel for {what}, which runs on the CPU; use "
                "backend='auto'"
            )


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
