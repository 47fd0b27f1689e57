"""What a worker does with a run, on whichever machine an executor put it."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError
from umml_cli.runs.events import RunEvent, RunFailed
from umml_cli.runs.files import write_text
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cmh_data import PairedDataset


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """What every run of a grid has in common.

    Args:
        root: folder of the runs.
        locations: data set name to the path, or built-in name, that a worker loads it from.
        checkpoint_minutes: minimum time between two checkpoints of a run.
        keep_weights: whether runs keep their trained weights.
    """

    root: str
    locations: Mapping[str, str]
    checkpoint_minutes: float = 0.25
    keep_weights: bool = True


def execute_run(
    specification: dict[str, Any],
    settings: GridSettings,
    on_event: Callable[[RunEvent], None],
    dataset: PairedDataset | None = None,
) -> None:
    """Perform one run; if it fails, say so as an event and in its folder, so that other runs go on.

    Args:
        specification: the run, as JSON values.
        settings: what runs have in common.
        on_event: told of every step.
        dataset: its data; None: loaded, once per worker.

    Raises:
        OSError: the machine refuses, which other runs would meet as well: the disk is full.
        MemoryError: likewise.
    """
    from umml_cli.runs.perform import perform  # noqa: PLC0415 - brings torch

    run = RunSpecification.model_validate(specification)
    store = RunStore(Path(settings.root))
    try:
        perform(
            run,
            dataset if dataset is not None else _load(settings.locations[run.dataset]),
            store=store,
            on_event=on_event,
            checkpoint_minutes=settings.checkpoint_minutes,
            keep_weights=settings.keep_weights,
        )
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a method raises ends its own run only
        expected = isinstance(error, (UserError, ValueError))
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        mark_failed(run, store, on_event, reason, detail="" if expected else traceback.format_exc())


def mark_failed(
    run: RunSpecification,
    store: RunStore,
    on_event: Callable[[RunEvent], None],
    reason: str,
    *,
    detail: str = "",
) -> None:
    """Say in its folder and as an event why a run cannot be done.

    Args:
        run: the run.
        store: where its folder lies.
        on_event: told of it.
        reason: a sentence.
        detail: what stands in the folder instead, where more is known.
    """
    write_text(store.folder(run).failure, (detail or reason).rstrip() + "\n")
    on_event(RunFailed(run.run_id, reason))


@lru_cache(maxsize=4)
def _load(location: str) -> PairedDataset:
    import cmh_data  # noqa: PLC0415 - in the worker only

    return cmh_data.load(location)


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> int:
    """Number of CUDA devices."""
    import torch  # noqa: PLC0415 - only where a GPU was asked for

    return torch.cuda.device_count()
