"""A map over the machines of a Ray cluster."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmh_metrics._inputs.compute import BackendUnavailable
from cmh_metrics._inputs.shards import NumberedShard, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PATIENCE = 10  # seconds for a machine to answer
RETRIES = 3
"""How often the task of a shard is started again when its worker or machine died."""


@dataclass(frozen=True)
class RayMap:
    """The `map` of a `ShardedDatabase` whose shards are worked on by a Ray cluster.

    Each shard is a task, and is opened on the machine that runs it: the one that `DatabaseShard.machine`
    names, otherwise any. The cluster is joined by the first call and left when the process ends, or by
    `ray.shutdown()`. Needs `cmh-metrics[ray]`; every machine needs the same version of this package.

    Args:
        address: of a running cluster, `"10.0.0.5:6379"`, or `"auto"` for that of this machine; None starts
            one here. Ignored if this process has joined one already.
        cpus: how many processors a task takes, more than 0; give measures as many `threads`.

    Raises:
        ValueError: if `cpus` is not more than 0.

    Example:
        >>> RayMap("10.0.0.5:6379", cpus=4).cpus
        4
    """

    address: str | None = None
    cpus: float = 1

    def __post_init__(self) -> None:
        if not self.cpus > 0:
            raise ValueError(f"cpus must be a number above 0, but it is {self.cpus!r}")

    def __call__(self, function: Callable[[Any], Any], shards: Iterable[Any]) -> Iterator[Any]:
        """Apply a function to every shard.

        Args:
            function: can be sent to another machine.
            shards: as `ShardedDatabase` hands them over.

        Returns:
            The results, in the order of the shards.

        Raises:
            BackendUnavailable: if Ray can't be imported, or no cluster answers at the address.
            ValueError: if a shard lies on a machine that is not in the cluster, or no machine has `cpus`.
            WorkerDied: if a worker died again and again.
        """
        ray = _import_ray()
        self._join(ray)
        shards = list(shards)
        machines = _machines(ray)
        places = [self._place(shard, machines) for shard in shards]
        shared = ray.put(function)
        task = ray.remote(max_retries=RETRIES, num_cpus=self.cpus, scheduling_strategy="SPREAD")(_apply)
        running = [
            task.options(**place).remote(shared, shard) for place, shard in zip(places, shards, strict=True)
        ]
        return _results(ray, running, shards)

    def _join(self, ray: Any) -> None:
        if ray.is_initialized():
            return
        options: dict[str, Any] = {"address": self.address} if self.address else {}
        try:
            _knock(self.address)
            ray.init(**options, log_to_driver=False, include_dashboard=False, configure_logging=False)
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise BackendUnavailable(
                f"no Ray cluster answers at {self.address or 'this machine'} ({reason}); start one with "
                "`ray start --head`, or give another address"
            ) from None

    def _place(self, shard: Any, machines: dict[str, float]) -> dict[str, Any]:
        """Return Ray's options for a task; what Ray would wait for without end is refused."""
        machine = shard.shard.machine if isinstance(shard, NumberedShard) else None
        listed = ", ".join(f"{name} ({cpus:g} processors)" for name, cpus in machines.items())
        if machine is not None and machine not in machines:
            raise ValueError(
                f"{shard.title} lies on the machine {machine}, which must be one of the Ray cluster: {listed}"
            )
        room = max(machines.values()) if machine is None else machines[machine]
        if self.cpus > room:
            raise ValueError(f"cpus must be at most what a machine has, but it is {self.cpus:g}: {listed}")
        return {} if machine is None else {"resources": {f"node:{machine}": 0.001}}


def _knock(address: str | None) -> None:
    """Raise where nobody listens at HOST:PORT, which Ray would find out in minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), _PATIENCE).close()


def _results(ray: Any, running: list[Any], shards: list[Any]) -> Iterator[Any]:
    running.reverse()
    for shard in shards:
        try:
            yield ray.get(running.pop())
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            title = shard.title if isinstance(shard, NumberedShard) else "a shard"
            raise WorkerDied(
                f"the worker of {title} died {RETRIES + 1} times ({type(error).__name__}), as when memory "
                "runs out; give smaller shards, or each task more cpus"
            ) from None


def _apply(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)


def _machines(ray: Any) -> dict[str, float]:
    """Return the processors of each machine that is alive, by its address."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    ordered = sorted(alive, key=lambda node: float(node["Resources"].get("CPU", 0)))
    return {node["NodeManagerAddress"]: node["Resources"].get("CPU", 0.0) for node in ordered}


def _import_ray() -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise BackendUnavailable(
            "RayMap needs Ray; install it with: pip install 'cmh-metrics[ray]'"
        ) from None
    return ray
