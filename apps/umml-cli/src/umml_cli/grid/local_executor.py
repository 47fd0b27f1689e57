"""Executors share the runs of a grid out to workers; the local one, to processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.grid.worker import GridSettings, available_cores, execute_run, mark_failed, visible_gpus
from umml_cli.runs.events import RunEvent, RunFailed, RunFinished, RunStarted
from umml_cli.runs.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import Queue, SimpleQueue

    from umml_cli.runs.specification import RunSpecification

MAX_LOST_WORKERS = 3
"""A run whose worker dies this often is marked as failed: it most likely takes the worker down itself."""

_events: SimpleQueue[tuple[int, RunEvent]]


@dataclass(frozen=True)
class LocalExecutor:
    """Worker processes of this machine.

    On a CPU each has one thread: a second run gains more than a second thread at the sizes that a CPU can
    train, and the number of cores cannot change results. On CUDA there is one process a device, and they
    share the cores.

    On Linux workers for a CPU are forked from one process that has loaded what runs need, so that a worker
    starts at once. Elsewhere, and for CUDA, which does not live on in a fork, each loads it for itself.

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

    @property
    def _forks(self) -> bool:
        return self.device == "cpu" and sys.platform == "linux"

    def prepare(self) -> None:
        """Begin to load what runs need, while the caller plans them; `run_all` does it where no one did."""
        if not self._forks:
            return
        forkserver.set_forkserver_preload(["__main__", "umml_cli.grid.preload"])
        resource_tracker.ensure_running()  # unblocks signals when it starts
        # Ctrl-C reaches the whole group, also a process that is still loading; the parent decides.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _context(self) -> BaseContext:
        self.prepare()
        return multiprocessing.get_context("forkserver" if self._forks else "spawn")

    def run_all(
        self,
        specifications: Sequence[RunSpecification],
        settings: GridSettings,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """See `Executor.run_all`."""
        store = RunStore(Path(settings.root))
        pending = {spec.run_id: spec for spec in specifications}
        lost = dict.fromkeys(pending, 0)
        idle = 0  # how often in a row workers died and nothing was done
        while pending:
            n_before = len(pending)
            try:
                self._run_pool(pending, settings, on_event)
            except _WorkersLost as error:
                # What they and their siblings had starts again from its checkpoint.
                for name in [name for name, spec in pending.items() if store.folder(spec).result.exists()]:
                    del pending[name]
                for name in error.runs & pending.keys():
                    lost[name] += 1
                    if lost[name] == MAX_LOST_WORKERS:
                        reason = f"its worker process died {lost[name]} times; is there enough memory?"
                        mark_failed(pending.pop(name), store, on_event, reason)
                idle = 0 if error.runs or len(pending) < n_before else idle + 1
                if idle == MAX_LOST_WORKERS:
                    raise UserError(
                        f"Worker processes died {idle} times before they took up a run; is there memory "
                        "for the data? What is complete is kept; run the same command again to continue."
                    ) from None

    def _run_pool(
        self,
        pending: dict[str, RunSpecification],
        settings: GridSettings,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """Perform pending runs, and take those that are over from them.

        Raises:
            _WorkersLost: a worker was killed; the others are ended.
        """
        context = self._context()
        worker_events = _WorkerEvents(context.SimpleQueue(), on_event)
        device_numbers: Queue[int] = context.Queue()
        n_workers = min(self.n_workers, len(pending))
        for number in range(n_workers * MAX_LOST_WORKERS):
            device_numbers.put(number)
        pool = ProcessPoolExecutor(
            max_workers=n_workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=(worker_events.events, device_numbers, self.device, n_workers),
        )
        try:
            futures = {
                pool.submit(_work, spec.model_dump(mode="json"), settings): name
                for name, spec in pending.items()
            }
            while futures:
                done, _ = wait(futures, timeout=0.1, return_when=FIRST_COMPLETED)
                worker_events.drain()
                for future in done:
                    name = futures.pop(future)
                    future.result()
                    del pending[name]
        except BaseException as error:
            processes = list((pool._processes or {}).values())  # noqa: SLF001 - the pool has no public way to stop at once
            for process in processes:
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            worker_events.drain()
            if isinstance(error, BrokenProcessPool):
                raise _WorkersLost(worker_events.lost_runs(processes)) from error
            raise
        pool.shutdown(wait=True)
        worker_events.drain()


class _WorkerEvents:
    """Events of the workers, and which run each of them is at.

    Args:
        events: (process, event); a worker's event is there when its `put` returns, even if it dies then.
        on_event: told of each.
    """

    def __init__(
        self, events: SimpleQueue[tuple[int, RunEvent]], on_event: Callable[[RunEvent], None]
    ) -> None:
        self.events = events
        self._on_event = on_event
        self._at_work: dict[int | None, str] = {}

    def drain(self) -> None:
        while not self.events.empty():
            process, event = self.events.get()
            if isinstance(event, RunStarted):
                self._at_work[process] = event.run_id
            elif isinstance(event, RunFinished | RunFailed):
                self._at_work.pop(process, None)
            self._on_event(event)

    def lost_runs(self, processes: Iterable[BaseProcess]) -> set[str]:
        """The runs of workers that died by themselves; the pool and we end the others by SIGTERM."""
        runs = {process: self._at_work.get(process.pid) for process in processes}
        died = {run for process, run in runs.items() if process.exitcode != -signal.SIGTERM}
        return {run for run in died or set(runs.values()) if run is not None}


class _WorkersLost(Exception):  # noqa: N818 - an event rather than an error
    """Worker processes were killed.

    Args:
        runs: names of the runs that they were at.
    """

    def __init__(self, runs: Iterable[str]) -> None:
        super().__init__()
        self.runs = frozenset(runs)


def _start_worker(
    events: SimpleQueue[tuple[int, RunEvent]], device_numbers: Queue[int], device: str, n_workers: int
) -> None:
    global _events  # noqa: PLW0603 - an initializer can hand things to its process only this way
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch  # noqa: PLC0415 - in the worker only

    if device == "cuda":
        torch.cuda.set_device(device_numbers.get() % torch.cuda.device_count())
        torch.set_num_threads(max(1, available_cores() // n_workers))
    else:
        torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(specification: dict[str, object], settings: GridSettings) -> None:
    process = os.getpid()
    execute_run(specification, settings, lambda event: _events.put((process, event)))
