"""Any number of items through an encoder: prepared on threads, embedded in batches, kept in blocks."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_features._encoded import Encoded, Skipped
from cmh_features._errors import UnreadableItemError
from cmh_features._output import FeatureFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from cmh_features._encoder import Identity


@dataclass(frozen=True)
class Progress:
    """How far encoding has come.

    Args:
        done: items that are through, skipped ones too.
        total: all items.
        skipped: how many of `done` were skipped.
        seconds: time since this run began.
        seconds_left: estimate from this run's own items; None before the first.
    """

    done: int
    total: int
    skipped: int
    seconds: float
    seconds_left: float | None


def encode_items(
    items: Sequence[Any],
    *,
    prepare: Callable[[Any], Any],
    embed: Callable[[list[Any]], NDArray[np.float32]],
    identity: Identity,
    width: int,
    batch_size: int,
    block_size: int,
    out: str | os.PathLike[str] | None,
    threads: int | None,
    progress: Callable[[Progress], None] | None,
    size_of: Callable[[Any], int] | None = None,
) -> Encoded:
    """Encode `items` in their order.

    Batches never cross a block, so a resumed run embeds exactly the batches that the killed one would have.

    Args:
        items: `n` of them.
        prepare: makes the network's input from one item, or raises `UnreadableItemError`.
        embed: makes `(n, width)` features from a list of `n` prepared items.
        identity: what the encoder is.
        width: numbers in a feature.
        batch_size: items a call of `embed`.
        block_size: items between two looks at the disk.
        out: the file to write, or None.
        threads: how many call `prepare`; None: one for each core; 0: no threads of their own.
        progress: called after every batch, and after the last of a block when the block is written.
        size_of: within a block, items of about this size share a batch.

    Returns:
        The features, what was skipped, and the identity.

    Raises:
        ValueError: if `threads` is negative, or `out` belongs to something else.
    """
    if threads is not None and threads < 0:
        raise ValueError(f"threads must be 0 or more, but it is {threads}")
    n = len(items)
    if out is None:
        target: FeatureFile | _InMemory = _InMemory(n, width, identity)
    else:
        record = {
            "format": "cmh-features 1",
            "encoder": identity.to_json(),
            "n": n,
            "width": width,
            "items": _digest(items),
            "block": block_size,
        }
        target = FeatureFile(Path(out), n=n, width=width, record=record)
        if target.complete:
            return target.finish()
    report = _reporter(n, target.done, progress)
    prepared = _prepare_ahead(items, target.done, prepare, threads, 2 * batch_size)
    try:
        for start in range(target.done, n, block_size):
            stop = min(start + block_size, n)
            block = np.zeros((stop - start, width), np.float32)
            skipped: list[Skipped] = []
            embedded = 0
            for batch in _batches(prepared, stop - start, skipped, batch_size, size_of):
                rows = np.array([row for row, _ in batch])
                features = np.asarray(embed([one for _, one in batch]), np.float32)
                finite = np.isfinite(features).all(axis=1)
                block[rows[finite] - start] = features[finite]
                skipped += [Skipped(int(row), "", "gives no finite feature") for row in rows[~finite]]
                embedded += int(finite.sum())
                through = start + embedded + len(skipped)
                if through < stop:  # the end of a block is said once, when it is written
                    report(through, len(target.skipped) + len(skipped))
            named = [one._replace(name=_name(items[one.row])) for one in sorted(skipped)]
            target.append(block, named)
            report(stop, len(target.skipped))
        return target.finish()
    finally:
        prepared.close()
        target.close()


def _prepare_ahead(
    items: Sequence[Any], start: int, prepare: Callable[[Any], Any], threads: int | None, ahead: int
) -> Generator[tuple[int, Any]]:
    """Yield each row with its prepared item, or with the error that it met, in order."""

    def attempt(row: int) -> tuple[int, Any]:
        try:
            return row, prepare(items[row])
        except UnreadableItemError as error:
            return row, error

    if threads == 0:
        yield from map(attempt, range(start, len(items)))
        return
    pool = ThreadPoolExecutor(threads or available_cores(), "cmh-features")
    try:
        waiting: deque[Future[tuple[int, Any]]] = deque()
        for row in range(start, len(items)):
            waiting.append(pool.submit(attempt, row))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(
    prepared: Iterator[tuple[int, Any]],
    n: int,
    skipped: list[Skipped],
    batch_size: int,
    size_of: Callable[[Any], int] | None,
) -> Iterator[list[tuple[int, Any]]]:
    """Yield the next `n` items in batches; those that could not be prepared go to `skipped`."""
    ready: list[tuple[int, Any]] = []
    for row, item in islice(prepared, n):
        if isinstance(item, UnreadableItemError):
            skipped.append(Skipped(row, "", str(item)))
            continue
        ready.append((row, item))
        if size_of is None and len(ready) == batch_size:
            yield ready
            ready = []
    if size_of is not None:
        ready.sort(key=lambda pair: size_of(pair[1]))
    for first in range(0, len(ready), batch_size):
        yield ready[first : first + batch_size]


def _reporter(n: int, before: int, progress: Callable[[Progress], None] | None) -> Callable[[int, int], None]:
    """Make the function that tells `progress` how many items are through and how many were skipped."""
    begun = time.monotonic()

    def report(done: int, skipped: int) -> None:
        if progress is not None:
            seconds = time.monotonic() - begun
            left = seconds / (done - before) * (n - done) if done > before else None
            progress(Progress(done, n, skipped, seconds, left))

    return report


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name(item: Any) -> str:
    """Return the path of an item that is one."""
    if isinstance(item, (str, os.PathLike)):
        return os.fsdecode(item)
    return str(item) if hasattr(item, "read_bytes") else ""


def _digest(items: Sequence[Any]) -> str:
    """Return a SHA-256 of all items: what they are, not what the files of that name hold."""
    digest = hashlib.sha256()
    for item in items:
        content = np.ascontiguousarray(item).tobytes() if isinstance(item, np.ndarray) else _content(item)
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def _content(item: Any) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, (str, os.PathLike)):
        return (
            os.fspath(item).encode("utf-8", "surrogatepass") if isinstance(item, str) else os.fsencode(item)
        )
    if hasattr(item, "tobytes"):
        return bytes(item.tobytes())
    return str(item).encode("utf-8", "surrogatepass")


class _InMemory:
    """Keeps the blocks in one array."""

    complete = False

    def __init__(self, n: int, width: int, identity: Identity) -> None:
        self._features = np.zeros((n, width), np.float32)
        self._identity = identity
        self.skipped: list[Skipped] = []
        self.done = 0

    def append(self, rows: NDArray[np.float32], skipped: Sequence[Skipped]) -> None:
        self._features[self.done : self.done + len(rows)] = rows
        self.done += len(rows)
        self.skipped += skipped

    def finish(self) -> Encoded:
        return Encoded(self._features, tuple(self.skipped), self._identity.to_json())

    def close(self) -> None:
        pass
