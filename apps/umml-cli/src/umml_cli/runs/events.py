"""What a run reports while it works; executors carry it from workers to the process that owns the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunStarted:
    """A worker took up a run, at `first_epoch` when it continues from a checkpoint."""

    run_id: str
    first_epoch: int


@dataclass(frozen=True)
class EpochEnded:
    """`epoch` epochs of the run are done."""

    run_id: str
    epoch: int


@dataclass(frozen=True)
class RunFinished:
    """The run's result is on disk."""

    run_id: str


@dataclass(frozen=True)
class RunFailed:
    """The run cannot be done; `reason` is a sentence."""

    run_id: str
    reason: str


RunEvent = RunStarted | EpochEnded | RunFinished | RunFailed
