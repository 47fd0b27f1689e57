"""The Ray executor: runs of a grid as tasks of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError
from umml_cli.grid.worker import GridSettings, execute_run, mark_failed
from umml_cli.runs.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmh_data import PairedDataset

    from umml_cli.runs.events import RunEvent
    from umml_cli.runs.specification import RunSpecification

RETRIES = 3
"""How often a run is taken up again when its worker or node died; it continues from its checkpoint."""


@dataclass(frozen=True)
class RayExecutor:
    """Tasks of a Ray cluster; the output folder must be one that every node sees.

    Data sets travel through Ray's object store, once a node, so that nodes need not see their files.

    Args:
        address: of a running cluster, "auto" for the one of this machine; None starts one here.
        workers: runs at a time; None: as many as the cluster has room for.
        gpus_per_run: share of a GPU that a run takes; 0.25 puts four runs on one.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_run: float = 0

    @property
    def n_workers(self) -> int:
        """Runs at a time, as far as known before the cluster is reached."""
        from umml_cli.grid.worker import available_cores  # noqa: PLC0415 - two executors that need not know each other

        return self.workers or available_cores()

    def run_all(
        self,
        specifications: Sequence[RunSpecification],
        settings: GridSettings,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        """See `Executor.run_all`."""
        ray = _import_ray()
        started_here = not ray.is_initialized()
        if started_here:
            options: dict[str, Any] = (
                {"address": self.address} if self.address else {"num_cpus": self.n_workers}
            )
            ray.init(**options, log_to_driver=False, include_dashboard=False, configure_logging=False)
        try:
            self._check_gpus(ray.cluster_resources().get("GPU", 0))
            self._submit(ray, specifications, settings, on_event)
        finally:
            if started_here:
                ray.shutdown()

    def _check_gpus(self, n_gpus: float) -> None:
        """Refuse what Ray would wait for without end."""
        if self.gpus_per_run > n_gpus:
            raise UserError(
                f"A run asks for {self.gpus_per_run:g} GPUs, but the Ray cluster has {n_gpus:g}; start it "
                "with GPUs, give another --gpus-per-run, or use --device cpu."
            )

    def _submit(
        self,
        ray: Any,
        specifications: Sequence[RunSpecification],
        settings: GridSettings,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        import cmh_data  # noqa: PLC0415 - only where data is read
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - an extra

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        queue = (
            ray.remote(num_cpus=0, max_concurrency=1)(_EventQueue).options(scheduling_strategy=here).remote()
        )
        data = {}
        for name in {spec.dataset for spec in specifications}:
            dataset = cmh_data.load(settings.locations[name])
            dataset.digest  # noqa: B018 - computed once here and kept with the object, not by every run
            data[name] = ray.put(dataset)
        task = ray.remote(
            num_cpus=1, num_gpus=self.gpus_per_run, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )(_work)
        waiting = list(specifications)
        running: dict[Any, RunSpecification] = {}
        limit = self.workers or len(waiting)
        while waiting or running:
            while waiting and len(running) < limit:
                spec = waiting.pop(0)
                running[task.remote(spec.model_dump(mode="json"), settings, data[spec.dataset], queue)] = spec
            done, _ = ray.wait(list(running), timeout=0.2)
            for event in ray.get(queue.take.remote()):
                on_event(event)
            for one in done:
                spec = running.pop(one)
                try:
                    ray.get(one)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, OSError) else error) from None
                except ray.exceptions.RayError as error:
                    reason = f"its worker died {RETRIES + 1} times ({type(error).__name__})"
                    mark_failed(spec, RunStore(Path(settings.root)), on_event, reason)
        for event in ray.get(queue.take.remote()):
            on_event(event)


class _EventQueue:
    """Events on their way from workers to the process that owns the screen; lives on that process's node."""

    def __init__(self) -> None:
        self._events: list[RunEvent] = []

    def put(self, event: RunEvent) -> None:
        self._events.append(event)

    def take(self) -> list[RunEvent]:
        events, self._events = self._events, []
        return events


_datasets: dict[str, PairedDataset] = {}
"""Data sets that this worker knows already, by digest: what was computed of one stays with the object."""


def _work(specification: dict[str, Any], settings: GridSettings, dataset: PairedDataset, queue: Any) -> None:
    import ray  # noqa: PLC0415 - in the worker only
    import torch  # noqa: PLC0415 - as above

    if specification["device"] == "cpu":
        torch.set_num_threads(1)  # as everywhere, so that results are the same

    sent: list[Any] = []

    def on_event(event: RunEvent) -> None:
        sent[:] = [queue.put.remote(event)]

    try:
        execute_run(specification, settings, on_event, _datasets.setdefault(dataset.digest, dataset))
    finally:
        ray.get(sent)  # the queue takes a caller's events in order, so waiting for the last is enough


def _import_ray() -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError("--executor ray needs Ray; install it with: pip install 'umml-cli[ray]'.") from None
    return ray
