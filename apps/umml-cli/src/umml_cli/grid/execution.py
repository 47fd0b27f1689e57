"""Perform the runs of a grid that are not complete yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.errors import RunsFailed
from umml_cli.grid.local_executor import LocalExecutor
from umml_cli.grid.worker import GridSettings
from umml_cli.runs.events import RunEvent, RunFailed, RunFinished
from umml_cli.runs.progress import grid_progress
from umml_cli.runs.specification import small_batches
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.runs.validation import rows_of_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from umml_cli.grid.executor import Executor
    from umml_cli.inputs.data_sources import DataSource
    from umml_cli.runs.specification import RunSpecification


def run_grid(
    specifications: Sequence[RunSpecification],
    *,
    sources: Mapping[str, DataSource],
    out: Path,
    console: Console,
    executor: Executor | None = None,
    keep_weights: bool = True,
    checkpoint_minutes: float = 0.25,
) -> RunsFailed | None:
    """Perform the runs that are not complete yet.

    Args:
        specifications: the runs.
        sources: data sets by name.
        out: output folder; runs lie in `out/runs`. The caller holds its lock.
        console: where progress is shown.
        executor: where to perform them; None: on every core of this machine.
        keep_weights: whether runs keep their trained weights.
        checkpoint_minutes: minimum time between two checkpoints of a run.

    Returns:
        What failed, or None when every run is complete.

    Raises:
        UserError: workers die before they take up a run.
        OSError: the machine refuses to go on.
    """
    store = RunStore(out / RUNS)
    pending = [spec for spec in specifications if not store.folder(spec).result.exists()]
    settings = GridSettings(
        root=str(store.root.resolve()),
        locations={source.dataset.name: source.location for source in sources.values()},
        keep_weights=keep_weights,
        checkpoint_minutes=checkpoint_minutes,
    )
    validation = pending[0].validation if pending else 0
    rows = {name: rows_of_run(source.dataset, validation) for name, source in sources.items()}
    for note in small_batches(pending, {name: len(dataset.split.train) for name, dataset in rows.items()}):
        console.print(f"Note: {note}", soft_wrap=True)
    titles = {spec.run_id: spec.title for spec in specifications}
    failed: dict[str, str] = {}  # run to reason
    with grid_progress(console, specifications, pending) as show:

        def on_event(event: RunEvent) -> None:
            if isinstance(event, RunFailed):
                failed[event.run_id] = event.reason
            elif isinstance(event, RunFinished):  # failed in a worker that then was lost, and tried again
                failed.pop(event.run_id, None)
            show(event)

        if pending:
            (executor or LocalExecutor()).run_all(pending, settings, on_event)
    reasons = [(titles[run_id], reason) for run_id, reason in failed.items()]
    return RunsFailed(reasons, len(specifications)) if reasons else None
