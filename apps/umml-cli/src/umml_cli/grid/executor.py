"""Where the runs of a grid are performed: the executors, and the choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from umml_cli.errors import UserError
from umml_cli.grid.local_executor import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from umml_cli.grid.worker import GridSettings
    from umml_cli.runs.events import RunEvent
    from umml_cli.runs.specification import RunSpecification


class Executor(Protocol):
    """Somewhere to perform runs. Results are the same files whichever executor made them."""

    def run_all(
        self,
        specifications: Sequence[RunSpecification],
        settings: GridSettings,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """Perform every run; one that fails is an event, and the others go on.

        Args:
            specifications: the runs, in the order to take them up.
            settings: what they have in common.
            on_event: called in this process for every event.

        Raises:
            UserError: workers die before they take up a run.
            OSError: the machine refuses to go on: the disk is full.
        """

    @property
    def n_workers(self) -> int:
        """Runs at a time."""


def make_executor(
    name: str,
    *,
    workers: int | None = None,
    device: str = "cpu",
    gpus_per_run: float | None = None,
    prepare: bool = False,
) -> Executor:
    """The executor with this name: "local", "ray" (a cluster of this machine) or "ray:ADDRESS".

    Ray hides every GPU from a run that asks for none: on CUDA a run takes one if nothing else is said. A
    local one is told to `prepare` where runs will follow; a cluster starts with its first run.
    """
    kind, _, address = name.partition(":")
    if kind == "local" and not address:
        executor = LocalExecutor(workers, device)
        if prepare:
            executor.prepare()
        return executor
    if kind == "ray":
        from umml_cli.grid.ray_executor import RayExecutor  # noqa: PLC0415 - an extra

        share = float(device == "cuda") if gpus_per_run is None else gpus_per_run
        return RayExecutor(address or None, workers=workers, gpus_per_run=share)
    raise UserError(f"--executor is local, ray or ray:ADDRESS, not {name!r}.")
