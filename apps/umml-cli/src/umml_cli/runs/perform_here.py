"""One run in this process, with its progress on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.console import print_notes
from umml_cli.errors import RunsFailed
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
    faster_precision: bool = False,
) -> RunResult:
    """Perform one run in this process with every core, unless it is complete already.

    Args:
        specification: the run.
        dataset: its data.
        out: folder of the runs, held by a lock meanwhile.
        console: where progress is shown.
        views_of: makes the views of some rows of the data set, where the run trains on random crops.
        faster_precision: take what a trial chooses instead of the specification's precision.

    Raises:
        RunsFailed: torch gives up.
    """
    from umml_cli.runs.perform import perform  # noqa: PLC0415 - brings torch
    from umml_cli.runs.precision import PrecisionChoice  # noqa: PLC0415 - brings cmh-data
    from umml_cli.runs.validation import rows_of_run  # noqa: PLC0415 - brings cmh-data

    with folder_lock(out):
        store = RunStore(out)
        if faster_precision:
            choose = PrecisionChoice(
                store, {specification.dataset: dataset}, say=lambda line: print_notes(console, [line])
            )
            specification = specification.model_copy(update={"precision": choose(specification)})
        result = store.folder(specification).read_result()
        pending = [specification] if result is None else []
        n_train = len(rows_of_run(dataset, specification.validation).split.train)
        print_notes(console, small_batches(pending, {specification.dataset: n_train}))
        try:
            with grid_progress(console, [specification], pending) as on_event:
                return result or perform(
                    specification, dataset, store=store, on_event=on_event, views_of=views_of
                )
        except RuntimeError as error:  # torch's own, as where a GPU has too little memory
            said = (str(error).splitlines() or [""])[0]
            raise RunsFailed([(specification.title, f"{type(error).__name__}: {said}")], 1) from error
