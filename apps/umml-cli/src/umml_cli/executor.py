"""Executors share the runs of a grid out to workers; the local one, to processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from umml_cli.errors import UserError
from umml_cli.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.queues import Queue

    from umml_cli.events import RunEvent
    from umml_cli.specification import RunSpecification
    from umml_cli.worker import WorkOrder

MAX_LOST_WORKERS = 3
"""A run whose worker dies this often is given up: it most likely takes the worker down itself."""

_events: Queue[RunEvent]


class Executor(Protocol):
    """Somewhere to perform runs. Results are the same files whichever executor made them."""

    def run_all(
        self,
        specifications: Sequence[RunSpecification],
        order: WorkOrder,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """Perform every run; one that fails is an event, and the others go on.

        Args:
            specifications: the runs, in the order to take them up.
            order: what they have in common.
            on_event: called in this process for every event.

        Raises:
            UserError: a run's worker died again and again.
            OSError: the machine refuses to go on: the disk is full.
        """

    @property
    def n_workers(self) -> int:
        """Runs at a time."""


def make_executor(
    name: str, *, workers: int | None = None, device: str = "cpu", gpus_per_run: float = 0
) -> Executor:
    """The executor with this name: "local", "ray" (a cluster of this machine) or "ray:ADDRESS"."""
    kind, _, address = name.partition(":")
    if kind == "local" and not address:
        return LocalExecutor(workers, device)
    if kind == "ray":
        from umml_cli.ray_executor import RayExecutor  # noqa: PLC0415 - an extra

        return RayExecutor(address or None, workers=workers, gpus_per_run=gpus_per_run)
    raise UserError(f"--executor is local, ray or ray:ADDRESS, not {name!r}.")


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> int:
    """Number of CUDA devices."""
    import torch  # noqa: PLC0415 - only where a GPU was asked for

    return torch.cuda.device_count()


@dataclass(frozen=True)
class LocalExecutor:
    """Worker processes of this machine.

    On a CPU each has one thread: a second run gains more than a second thread at the sizes that a CPU can
    train, and the number of cores cannot change results. On CUDA there is one process a device, and they
    share the cores.

    Args:
        workers: processes; None: one for each core, or for each CUDA device.
        device: "cpu" or "cuda".
    """

    workers: int | None = None
    device: str = "cpu"

    @property
    def n_workers(self) -> int:
        """Runs at a time."""
        return self.workers or (max(visible_gpus(), 1) if self.device == "cuda" else available_cores())

    def run_all(
        self,
        specifications: Sequence[RunSpecification],
        order: WorkOrder,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """See `Executor.run_all`."""
        store = RunStore(Path(order.root))
        pending = {spec.run_id: spec for spec in specifications}
        lost = dict.fromkeys(pending, 0)
        while pending:
            try:
                self._run_pool(pending, order, on_event)
            except BrokenProcessPool:
                # A worker was killed: what it and its siblings had starts again from its checkpoint.
                pending = {
                    name: spec for name, spec in pending.items() if not store.folder(spec).result.exists()
                }
                for name, spec in pending.items():
                    lost[name] += store.folder(spec).specification.exists()
                    if lost[name] >= MAX_LOST_WORKERS:
                        raise UserError(
                            f"The worker process of run {spec.title} died {lost[name]} times; is there "
                            "enough memory? What is complete is kept; run the same command again to continue."
                        ) from None

    def _run_pool(
        self, pending: dict[str, RunSpecification], order: WorkOrder, on_event: Callable[[RunEvent], None]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        events: Queue[RunEvent] = context.Queue()
        places: Queue[int] = context.Queue()
        n_workers = min(self.n_workers, len(pending))
        for place in range(n_workers * MAX_LOST_WORKERS):
            places.put(place)
        pool = ProcessPoolExecutor(
            max_workers=n_workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=(events, places, self.device, n_workers),
        )
        try:
            futures = {
                pool.submit(_work, spec.model_dump(mode="json"), order): name
                for name, spec in pending.items()
            }
            while futures:
                done, _ = wait(futures, timeout=0.1, return_when=FIRST_COMPLETED)
                _drain(events, on_event)
                for future in done:
                    name = futures.pop(future)
                    future.result()
                    del pending[name]
        except BaseException:
            for process in list((pool._processes or {}).values()):  # noqa: SLF001 - the pool has no public way to stop at once
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            _drain(events, on_event)


def _drain(events: Queue[RunEvent], on_event: Callable[[RunEvent], None]) -> None:
    while True:
        try:
            on_event(events.get_nowait())
        except queue.Empty:
            return


def _start_worker(events: Queue[RunEvent], places: Queue[int], device: str, n_workers: int) -> None:
    global _events  # noqa: PLW0603 - an initializer can hand things to its process only this way
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch  # noqa: PLC0415 - in the worker only

    if device == "cuda":
        torch.cuda.set_device(places.get() % torch.cuda.device_count())
        torch.set_num_threads(max(1, available_cores() // n_workers))
    else:
        torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(specification: dict[str, object], order: WorkOrder) -> None:
    from umml_cli.worker import work  # noqa: PLC0415 - in the worker only

    work(specification, order, _events.put)
