"""Progress of a grid: live bars with the time left on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from umml_cli.runs.events import EpochEnded, RunEvent, RunFailed, RunFinished, RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from umml_cli.runs.specification import RunSpecification

FIXED_WORK = 0.02
"""Cost of building, encoding and evaluating a run, as a share of its training."""


SECONDS_BETWEEN_LINES = 30
"""In a log a line says at least this often how far training is."""


def format_seconds(seconds: float) -> str:
    """Whole seconds as a person says them: `48 s`, `2 min 05 s`, `1 h 20 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class GridClock:
    """How much of a grid is done, and how long the rest takes at the pace so far.

    Work is counted in epochs over the whole training set. Only what was done since the start gives the pace.
    """

    def __init__(self, pending: Sequence[RunSpecification]) -> None:
        self._start = time.monotonic()
        self._specs = {spec.run_id: spec for spec in pending}
        self._done = dict.fromkeys(self._specs, 0.0)
        self._skipped = dict.fromkeys(self._specs, 0.0)

    def update(self, event: RunEvent) -> None:
        """Take in what a worker reports."""
        spec = self._specs[event.run_id]
        share = spec.work / max(spec.training_epochs, 1)
        match event:
            case RunStarted():
                self._done[event.run_id] = self._skipped[event.run_id] = event.first_epoch * share
            case EpochEnded():
                self._done[event.run_id] = event.epoch * share
            case RunFinished() | RunFailed():
                self._done[event.run_id] = spec.work

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds until all runs are complete; None until a pace is known."""
        done = sum(self._done.values()) - sum(self._skipped.values())
        total = sum(spec.work for spec in self._specs.values())
        left = (total - sum(self._done.values())) * (1 + FIXED_WORK)
        elapsed = time.monotonic() - self._start
        return None if done <= 0 or elapsed < 1 else left * elapsed / done


@contextmanager
def grid_progress(
    console: Console, specifications: Sequence[RunSpecification], pending: Sequence[RunSpecification]
) -> Iterator[Callable[[RunEvent], None]]:
    """Show the progress of a grid while the block runs; the block passes every event to the given function.

    Args:
        console: where to show it. Lines instead of bars when it is not a terminal.
        specifications: all runs of the grid.
        pending: those that are not complete yet.
    """
    clock = GridClock(pending)
    n_complete = len(specifications) - len(pending)
    if n_complete:
        console.print(f"{n_complete} of {len(specifications)} runs are complete already.")
    show = _bars if console.is_terminal else _lines
    with show(console, clock, specifications, pending) as on_event:
        yield on_event


@contextmanager
def _bars(
    console: Console,
    clock: GridClock,
    specifications: Sequence[RunSpecification],
    pending: Sequence[RunSpecification],
) -> Iterator[Callable[[RunEvent], None]]:
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=console,
        transient=True,
    )
    specs = {spec.run_id: spec for spec in pending}
    bars: dict[str, TaskID] = {}
    over: set[str] = set()  # a run whose worker was lost may end twice
    with progress:
        n_complete = len(specifications) - len(pending)
        whole = progress.add_task(
            "all runs",
            total=len(specifications),
            completed=n_complete,
            unit="runs",
            left="starting workers",
        )

        def on_event(event: RunEvent) -> None:
            clock.update(event)
            spec = specs[event.run_id]
            match event:
                case RunStarted():
                    if event.run_id in bars:
                        progress.remove_task(bars[event.run_id])
                    bars[event.run_id] = progress.add_task(
                        spec.title,
                        total=max(spec.training_epochs, 1),
                        completed=event.first_epoch,
                        unit="epochs",
                        left="",
                    )
                case EpochEnded():
                    progress.update(bars[event.run_id], completed=event.epoch)
                case RunFinished() | RunFailed():
                    if event.run_id in bars:
                        progress.remove_task(bars.pop(event.run_id))
                    over.add(event.run_id)
                    progress.update(whole, completed=n_complete + len(over))
            left = clock.seconds_left
            progress.update(whole, left="" if left is None else f"about {format_seconds(left)} left")

        yield on_event


@contextmanager
def _lines(
    console: Console,
    clock: GridClock,
    specifications: Sequence[RunSpecification],
    pending: Sequence[RunSpecification],
) -> Iterator[Callable[[RunEvent], None]]:
    specs = {spec.run_id: spec for spec in pending}
    n_complete = len(specifications) - len(pending)
    over: set[str] = set()
    last = time.monotonic()

    def on_event(event: RunEvent) -> None:
        nonlocal last
        clock.update(event)
        spec = specs[event.run_id]
        match event:
            case RunFinished() | RunFailed():
                over.add(event.run_id)
                state = f" failed: {event.reason}" if isinstance(event, RunFailed) else ""
            case EpochEnded() if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                state = f": epoch {event.epoch} of {spec.epochs}"
            case _:
                return
        last = time.monotonic()
        left = clock.seconds_left
        rest = f", about {format_seconds(left)} left" if left else ""
        console.print(
            f"[{n_complete + len(over)}/{len(specifications)}] {spec.title}{state}{rest}", soft_wrap=True
        )

    yield on_event
