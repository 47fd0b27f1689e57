"""The local executor: runs of a grid, shared out to worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from multiprocessing.queues import Queue
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.events import RunEvent
    from umml_cli.specification import RunSpecification

MAX_LOST_WORKERS = 3
"""A run whose worker dies this often is given up: it most likely takes the worker down itself."""

_events: Queue[RunEvent]


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    specifications: Iterable[RunSpecification],
    *,
    locations: Mapping[str, str],
    root: Path,
    workers: int,
    on_event: Callable[[RunEvent], None],
) -> None:
    """Perform every run that is not complete yet.

    Runs go to `workers` processes of one thread each: a second run gains more than a second thread at the
    sizes that a CPU can train, and the number of cores cannot change results.

    Args:
        specifications: the runs, in the order to take them up.
        locations: data set name to the path (or built-in name) that a worker loads it from.
        root: folder of the runs.
        workers: number of processes.
        on_event: called in this process for every event.

    Raises:
        UserError: a run failed; the others that were under way have ended and are kept.
    """
    store = RunStore(root)
    pending = {spec.run_id: spec for spec in specifications if not store.folder(spec).result.exists()}
    lost = dict.fromkeys(pending, 0)
    while pending:
        try:
            _run_pool(pending, locations=locations, root=root, workers=workers, on_event=on_event)
        except BrokenProcessPool:
            # A worker was killed: what it and its siblings had starts again from its checkpoint.
            pending = {name: spec for name, spec in pending.items() if not store.folder(spec).result.exists()}
            for name, spec in pending.items():
                lost[name] += store.folder(spec).specification.exists()
                if lost[name] >= MAX_LOST_WORKERS:
                    raise UserError(
                        f"The worker process of run {spec.title} died {lost[name]} times; is there enough "
                        "memory? What is complete is kept; run the same command again to continue."
                    ) from None


def _run_pool(
    pending: dict[str, RunSpecification],
    *,
    locations: Mapping[str, str],
    root: Path,
    workers: int,
    on_event: Callable[[RunEvent], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    events: Queue[RunEvent] = context.Queue()
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(pending)),
        mp_context=context,
        initializer=_start_worker,
        initargs=(events,),
    )
    try:
        futures = {
            pool.submit(_work, spec.model_dump(mode="json"), locations[spec.dataset], str(root)): name
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


def _start_worker(events: Queue[RunEvent]) -> None:
    global _events  # noqa: PLW0603 - an initializer can hand things to its process only this way
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch  # noqa: PLC0415 - in the worker only

    torch.set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@lru_cache(maxsize=4)
def _load(location: str) -> PairedDataset:
    import cmh_data  # noqa: PLC0415 - in the worker only

    return cmh_data.load(location)


def _work(specification: dict[str, object], location: str, root: str) -> None:
    from pathlib import Path  # noqa: PLC0415 - in the worker only

    from umml_cli.run import perform  # noqa: PLC0415 - brings torch
    from umml_cli.specification import RunSpecification  # noqa: PLC0415

    run = RunSpecification.model_validate(specification)
    try:
        perform(run, _load(location), store=RunStore(Path(root)), on_event=_events.put)
    except ValueError as error:  # said as text: not every exception survives the way between processes
        raise UserError(f"Run {run.title}: {error}") from None
