"""A database in shards: where the rows of each lie, and who works through them."""

from __future__ import annotations

import builtins
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cmh_metrics._inputs.code_values import CodeValueError
from cmh_metrics._inputs.compute import BackendUnavailable
from cmh_metrics._inputs.shard_files import open_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._inputs.compute import Compute

Value = TypeVar("Value")
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
_ARRAYS = ("codes", "labels", "ids")


class WorkerDied(RuntimeError):  # noqa: N818 - a public name that reads well in an except clause
    """Say that a worker died over a shard, as when memory runs out.

    Example:
        >>> issubclass(WorkerDied, RuntimeError)
        True
    """


@dataclass(frozen=True, eq=False)
class DatabaseShard:
    """Some consecutive rows of a database: where their codes and labels lie.

    It can be sent to another process or machine, which opens the files there. Arrays are sent with it, so
    that for other processes paths are the better choice.

    Args:
        codes: `(n, bits)` of signs, bits, booleans, real outputs or `PackedCodes`, as `ranking_tables` takes
            them; or the path of an `.npy`, `.npz` or HDF5 file, or of what `PackedCodes.save` wrote. `.npy`
            and HDF5 are read in slabs.
        labels: `(n, n_label)` of {0, 1} or {-1, +1}, or `(n,)` integers or strings, as those of the queries;
            or a path; None for `hamming_topk`.
        ids: `(n,)` integers or strings, or a path, for `query_ids`.
        codes_name: name of the array in the file, `"group/codes"` in HDF5; None if the file holds one only.
        labels_name: the same for the labels.
        ids_name: the same for the ids.
        machine: address of the machine that the files lie on, as Ray knows it (`"10.0.0.6"`), for `RayMap`;
            None if every machine sees them.

    Raises:
        ValueError: if codes are missing, or a name comes without a path.

    Example:
        >>> DatabaseShard("part-7.h5", "part-7.h5", codes_name="codes", labels_name="labels").codes
        'part-7.h5'
    """

    codes: Any
    labels: Any = None
    ids: Any = None
    codes_name: str | None = None
    labels_name: str | None = None
    ids_name: str | None = None
    machine: str | None = None

    def __post_init__(self) -> None:
        if self.codes is None:
            raise ValueError("codes must be an array or the path of a file, but it is None")
        for name in _ARRAYS:
            if getattr(self, f"{name}_name") is not None and not _is_path(getattr(self, name)):
                raise ValueError(
                    f"{name}_name must come with the path of a file as {name}, but {name} is no path"
                )


@dataclass(frozen=True, eq=False)
class ShardedDatabase:
    """A database in shards, for measures in place of `database_codes`; it brings labels and ids itself.

    Every measure is the same as of one array: what the shards count adds up. A measure reads each shard once,
    with `ties="index"` twice; `evaluate` several times.

    Args:
        shards: at least one; database rows are numbered through all of them in this order.
        map: applies a function to every shard and returns the results in the same order: the builtin `map`,
            one shard after the other in this process; `map` of a `concurrent.futures` executor; `RayMap()`.
            With any but the builtin one a shard is ranked on one thread, unless `threads` says otherwise.

    Raises:
        ValueError: if there is no shard, or `map` can't be called.

    Example:
        >>> from cmh_metrics import mean_average_precision
        >>> database = ShardedDatabase([DatabaseShard([[1]], [[0]]), DatabaseShard([[-1]], [[1]])])
        >>> mean_average_precision(query_codes=[[1]], query_labels=[[1]], database_codes=database)
        0.5
    """

    shards: Sequence[DatabaseShard]
    map: Map = field(default_factory=lambda: builtins.map)  # a plain default's docstring would be shown

    def __post_init__(self) -> None:
        shards: tuple[Any, ...] = tuple(self.shards)
        other = next((shard for shard in shards if not isinstance(shard, DatabaseShard)), None)
        if not shards or other is not None:
            found = "there is none" if other is None else f"one is {type(other).__name__}"
            raise ValueError(f"shards must be at least one DatabaseShard, but {found}")
        if not callable(self.map):
            raise ValueError(  # noqa: TRY004 - bad input is a ValueError here
                "map must be called as the builtin map is, such as the map of an executor, but it is "
                f"{type(self.map).__name__}"
            )
        object.__setattr__(self, "shards", shards)


@dataclass(frozen=True, eq=False)
class OpenShard:
    """A shard that is open on the machine that works on it.

    Args:
        number: in the order of shards, from 0 on.
        codes: `(n, bits)` as `DatabaseShard` has them, a path no longer.
        labels: likewise, or None.
        ids: likewise, or None.
        given: what its worker needs to know of the others, or None.
    """

    number: int
    codes: Any
    labels: Any
    ids: Any
    given: Any = None


@dataclass(frozen=True, eq=False)
class NumberedShard:
    """A shard on its way to a worker.

    Args:
        number: in the order of shards, from 0 on.
        shard: itself.
        given: what its worker needs to know of the others, or None.
    """

    number: int
    shard: DatabaseShard
    given: Any = None

    @property
    def title(self) -> str:
        """How error messages call it."""
        path = f" ({os.fspath(self.shard.codes)})" if _is_path(self.shard.codes) else ""
        return f"shard {self.number}{path}"


def compute_of_each(database: ShardedDatabase, compute: Compute) -> Compute:
    """Return what each shard is ranked with: one thread where others may be ranked beside it."""
    return compute if database.map is builtins.map else compute.beside_others


def title_of(database: ShardedDatabase, number: int) -> str:
    """How error messages call a shard."""
    return NumberedShard(number, database.shards[number]).title


def each_shard(
    database: ShardedDatabase, work: Callable[[OpenShard], Value], given: Iterable[Any] | None = None
) -> Iterator[Value]:
    """Yield `work(opened shard)` of every shard, in order, wherever `map` has it done.

    `given` is something for each shard, which its worker gets and no other.

    Raises:
        ValueError: if a shard is not what it should be, or `map` does not return what it should.
        FileNotFoundError: if a file is missing.
        WorkerDied: if a worker died.
    """
    n = len(database.shards)
    each = [None] * n if given is None else given
    tasks = [NumberedShard(i, *both) for i, both in enumerate(zip(database.shards, each, strict=True))]
    answer = database.map(_Task(work), tasks)
    if not isinstance(answer, Iterable):
        raise ValueError(f"map must return an iterable, but it returned {type(answer).__name__}")  # noqa: TRY004
    outcomes = iter(answer)
    for number in range(n):
        try:
            outcome = next(outcomes, None)
        except BrokenExecutor as error:
            raise WorkerDied(
                f"a worker died before {title_of(database, number)} was done, as when memory runs out; give "
                "fewer workers or smaller shards, and start them under `if __name__ == '__main__':` "
                f"({error})"
            ) from None
        if outcome is None:
            raise ValueError(f"map must return a result for each of {n} shards, but it returned {number}")
        if not isinstance(outcome, _Outcome) or outcome.number != number:
            raise ValueError("map must return what the function returned, in the order of the shards")
        if outcome.error is not None:
            kind, arguments = outcome.error
            raise kind(*arguments)
        yield outcome.value
    if next(outcomes, None) is not None:
        raise ValueError(f"map must return a result for each of {n} shards, but it returned more")


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a worker sends back; errors as data, for not every exception survives the way."""

    number: int
    value: Any = None
    error: tuple[type[Exception], tuple[Any, ...]] | None = None


@dataclass(frozen=True, eq=False)
class _Task:
    """Opens a shard, works on it, and closes it."""

    work: Callable[[OpenShard], Any]

    def __call__(self, task: NumberedShard) -> _Outcome:
        try:
            with ExitStack() as stack:
                arrays = {name: _opened(task.shard, name, stack) for name in _ARRAYS}
                return _Outcome(task.number, self.work(OpenShard(task.number, **arrays, given=task.given)))
        except (ValueError, OSError, BackendUnavailable) as error:
            return _Outcome(task.number, error=_described(error, task.title))


def _described(error: Exception, title: str) -> tuple[type[Exception], tuple[Any, ...]]:
    """Return the kind of an error and its arguments, which name the shard."""
    if isinstance(error, CodeValueError):
        return CodeValueError, (f"{title}: {error.problem}", error.cure)
    if isinstance(error, FileNotFoundError):
        where = f"there is no file {error.filename} on the machine {platform.node()}"
        return FileNotFoundError, (f"{title}: {where}",)
    if isinstance(error, OSError) and error.errno is not None:
        return OSError, (f"{title}: {error.filename or 'a file'}: {error.strerror or error}",)
    kind = BackendUnavailable if isinstance(error, BackendUnavailable) else ValueError
    return kind, (f"{title}: {error}",)


def _opened(shard: DatabaseShard, name: str, stack: ExitStack) -> Any:
    given = getattr(shard, name)
    return open_array(Path(given), getattr(shard, f"{name}_name"), stack) if _is_path(given) else given


def _is_path(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike))
