"""What a training run leaves in writing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One pass over the training set.

    Args:
        epoch: counted from 0.
        losses: mean of each named loss over the steps of the epoch.
        seconds: wall-clock time of the steps and the end of the epoch, without callbacks and checkpoints.
    """

    epoch: int
    losses: dict[str, float]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """A finished run.

    Args:
        epochs: one record an epoch, those before an interruption included.
        resumed_from: epochs that were taken from a checkpoint, 0 for an uninterrupted run.
    """

    epochs: tuple[EpochRecord, ...]
    resumed_from: int = 0

    @property
    def losses(self) -> dict[str, list[float]]:
        """Each named loss by epoch."""
        names = self.epochs[0].losses if self.epochs else {}
        return {name: [record.losses[name] for record in self.epochs] for name in names}

    @property
    def seconds(self) -> float:
        """Time of all epochs together."""
        return sum(record.seconds for record in self.epochs)
