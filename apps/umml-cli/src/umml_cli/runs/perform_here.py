"""One run in this process, with its progress on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.runs.files import folder_lock
from umml_cli.runs.progress import grid_progress
from umml_cli.runs.specification import small_batches
from umml_cli.runs.store import RunStore

if TYPE_CHECKING:
    from pathlib import Path

    from cmh_data import PairedDataset
    from rich.console import Console

    from umml_cli.runs.perform import ViewsOf
    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunResult


def perform_here(
    specification: RunSpecification,
    dataset: PairedDataset,
    *,
    out: Path,
    console: Console,
    views_of: ViewsOf | None = None,
) -> RunResult:
    """Perform one run in this process with every core, unless it is complete already.

    Args:
        specification: the run.
        dataset: its data.
        out: folder of the runs, held by a lock meanwhile.
        console: where progress is shown.
        views_of: makes the views of some rows of the data set, where the run trains on random crops.
    """
    from umml_cli.runs.perform import perform  # noqa: PLC0415 - brings torch
    from umml_cli.runs.validation import rows_of_run  # noqa: PLC0415 - brings cmh-data

    with folder_lock(out):
        store = RunStore(out)
        result = store.folder(specification).read_result()
        pending = [specification] if result is None else []
        n_train = len(rows_of_run(dataset, specification.validation).split.train)
        for note in small_batches(pending, {specification.dataset: n_train}):
            console.print(f"Note: {note}", soft_wrap=True)
        with grid_progress(console, [specification], pending) as on_event:
            return result or perform(
                specification, dataset, store=store, on_event=on_event, views_of=views_of
            )
