"""What a grid takes: runs done and to do, time from measured epochs, disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from umml_cli.runs.progress import format_seconds
from umml_cli.runs.store import RUNS, RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from umml_cli.grid.experiment import Experiment
    from umml_cli.grid.reproduction import Reproduction
    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunFolder

LISTED = 30
"""Up to so many runs a plan names one by one."""

Kind = tuple[str, str]  # method, data set: what an epoch costs depends on


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Args:
        specification: the run.
        epochs: epochs whose losses are written.
        seconds: time of these epochs.
        complete: whether its result is there.
        failed: whether its last attempt failed.
        size: bytes on disk.
    """

    specification: RunSpecification
    epochs: int
    seconds: float
    complete: bool
    failed: bool
    size: int

    @classmethod
    def of(cls, specification: RunSpecification, folder: RunFolder) -> RunState:
        """Look at the run's folder, which need not exist."""
        measured = [line["seconds"] for line in folder.read_metrics()]
        return cls(
            specification=specification,
            epochs=len(measured),
            seconds=sum(measured),
            complete=folder.result.exists(),
            failed=folder.failure.exists(),
            size=sum(map(_size, folder.path.glob("*"))),
        )

    @property
    def kind(self) -> Kind:
        """Method and data set."""
        return self.specification.method, self.specification.dataset

    @property
    def work_left(self) -> float:
        """Epochs over the whole training set that are still to do."""
        return (
            0
            if self.complete
            else max(self.specification.training_epochs - self.epochs, 0) * self.specification.cell.kept_share
        )

    def __str__(self) -> str:
        if self.complete:
            return "done"
        if self.failed:
            return "failed, will be tried again"
        return f"at epoch {self.epochs} of {self.specification.training_epochs}" if self.epochs else "to do"


def _size(path: Path) -> int:
    """Bytes of a file; 0 for a temporary one that a live run has renamed meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def seconds_left(states: Sequence[RunState], kind: Kind, n_workers: int) -> float | None:
    """Time for the open runs of a kind at the pace of its measured epochs; None before any was measured."""
    alike = [state for state in states if state.kind == kind]
    done = sum(state.epochs * state.specification.cell.kept_share for state in alike)
    left = sum(state.work_left for state in alike)
    if not left:
        return 0.0
    return None if not done else left * sum(state.seconds for state in alike) / done / n_workers


def outline(experiments: Mapping[str, Experiment]) -> Table:
    """What experiments train, before their data are known.

    Args:
        experiments: by name.
    """
    table = Table("experiment", "data sets", "methods", "training pairs", "code lengths", "seeds", "cells")
    for name, experiment in experiments.items():
        cells = experiment.grid()
        lengths = max(len(experiment.bits), 1)
        n_cells = len(experiment.data) * experiment.n_variants * len(cells) * lengths * experiment.seeds
        table.add_row(
            name,
            ", ".join(experiment.data),
            ", ".join(experiment.methods),
            ", ".join(cell.title for cell in cells),
            ", ".join(map(str, experiment.bits)) or "the methods' own",
            str(experiment.seeds),
            str(n_cells),
        )
    return table


def _line(state: RunState, *, with_bits: bool) -> str:
    spec = state.specification
    bits = f" · {spec.bits} bits" if with_bits else ""
    return f"{spec.run_id}  {spec.title}{bits}  {state}"


def _conditions(states: Sequence[RunState]) -> str:
    """In place of many runs: what is done to the training pairs, and the seeds."""
    cells = dict.fromkeys(state.specification.cell.title for state in states)
    seeds = sorted({state.specification.seed for state in states})
    over = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"Training pairs: {'; '.join(cells)}. {over.capitalize()}."


def plan_table(reproduction: Reproduction, *, out: Path, n_workers: int) -> Group:
    """The runs with their states, where there are few; and what each method on each data set still takes."""
    store = RunStore(out / RUNS)
    states = [RunState.of(spec, store.folder(spec)) for spec in reproduction.specifications]
    lengths = {state.specification.bits for state in states}
    lines = [_line(state, with_bits=len(lengths) > 1) for state in states]
    if len(states) > LISTED:
        lines = [_conditions(states)]
    table = Table("method", "data set", "bits", "runs", "done", "epochs left", "time left")
    kinds = dict.fromkeys(state.kind for state in states)
    for kind in kinds:
        alike = [state for state in states if state.kind == kind]
        left = seconds_left(states, kind, n_workers)
        table.add_row(
            *kind,
            ", ".join(map(str, sorted({state.specification.bits for state in alike}))),
            str(len(alike)),
            str(sum(state.complete for state in alike)),
            f"{sum(state.work_left for state in alike):.0f}",
            "not measured yet" if left is None else format_seconds(left),
        )
    times = [seconds_left(states, kind, n_workers) for kind in kinds]
    known = [time for time in times if time is not None]
    in_all = format_seconds(sum(known)) if known else "known after the first epochs"
    unknown = " and what is not measured yet" if known and None in times else ""
    done = [state for state in states if state.complete]
    size = sum(state.size for state in done) / len(done) if done else None
    folder = next(path for path in (out, *out.resolve().parents) if path.exists())
    disk = f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free"
    if size is not None:
        disk = f"{size * (len(states) - len(done)) / 1e6:.1f} MB more needed, {disk}"
    shared = sum(
        experiment.n_variants
        * len(experiment.data_sets(reproduction.locations))
        * max(len(experiment.bits), 1)
        * experiment.seeds
        * len(experiment.grid())
        for experiment in reproduction.experiments.values()
    )
    return Group(
        Text("\n".join(lines)),
        table,
        Text(
            f"{len(states)} runs, {len(done)} done; tables and figures use runs {shared} times. "
            f"Time left with {n_workers} at a time: {in_all}{unknown}. Disk: {disk}."
        ),
    )
