"""Copy a file with other bytes at some places, and compare and flush the copy while copying goes on.

Copying, comparing and waiting for the disk each have a thread, so that together they take about as long as
the slowest of them. All three go through the file in the same order.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmh_files.errors import CopyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import FileIO
    from pathlib import Path

    from numpy.typing import NDArray

STEP = 32 * 2**20  # what the comparison and the disk lag behind, at least
BLOCK = 2**18  # two buffers of this size stay in the processor's cache while they are compared


@dataclass(frozen=True)
class Patch:
    """Bytes of a file that are replaced.

    Attributes:
        start: Offset of the first byte.
        pattern: What is written.
        times: How often the pattern is repeated.
    """

    start: int
    pattern: bytes
    times: int

    @property
    def stop(self) -> int:
        """Offset behind the last byte."""
        return self.start + len(self.pattern) * self.times

    def between(self, start: int, stop: int) -> bytes:
        """The bytes of a part of the patch, given by offsets in the file."""
        phase = (start - self.start) % len(self.pattern)
        if phase + stop - start <= len(self.pattern):
            return self.pattern[phase : phase + stop - start]
        repeated = self.pattern * (-(-(phase + stop - start) // len(self.pattern)))
        return repeated[phase : phase + stop - start]


def patched_copy(source: Path, target: Path, patches: Iterable[Patch], *, verify: bool) -> None:
    """Copy a file with the patches instead of what stood in their places.

    Args:
        source: The file.
        target: A new file.
        patches: Disjoint.
        verify: Read the copy again and compare every byte with the source and the patches.

    Raises:
        CopyError: a byte differs.
    """
    ordered = sorted(patches, key=lambda patch: patch.start)
    size = source.stat().st_size
    with (
        source.open("rb", buffering=0) as old,
        target.open("w+b", buffering=0) as new,
        source.open("rb", buffering=0) as old_again,
        target.open("rb", buffering=0) as new_again,
        ThreadPoolExecutor(1) as checker,
        ThreadPoolExecutor(1) as disk,
    ):
        reader, expected, found = _Reader(old), _Reader(old_again), _Reader(new_again)
        checks, flushed = [], None
        for start in range(0, size, STEP):
            stop = min(start + STEP, size)
            write_step(reader, new, start, stop, ordered)
            if verify:
                checks.append(checker.submit(check_step, expected, found, start, stop, ordered))
            if flushed is None or flushed.done():
                flushed = disk.submit(os.fsync, new.fileno())
        for check in checks:
            check.result()


def write_step(reader: _Reader, target: FileIO, start: int, stop: int, patches: Sequence[Patch]) -> None:
    """Write a range of the copy; what no patch touches is copied inside the kernel where it can be.

    Args:
        reader: Reads the source.
        target: The copy, writable.
        start: First byte.
        stop: Behind the last byte.
        patches: All of the file, rising and disjoint.
    """
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        inside = _inside(patches, first, last)
        if not inside and _copy_in_kernel(reader.file, target, first, last):
            continue
        target.seek(first)
        left = reader.patched(first, last, inside).data
        while left:
            left = left[target.write(left) :]


def check_step(expected: _Reader, found: _Reader, start: int, stop: int, patches: Sequence[Patch]) -> None:
    """Read a range of the copy again and compare it with the source and the patches.

    Args:
        expected: Reads the source.
        found: Reads the copy.
        start: First byte.
        stop: Behind the last byte.
        patches: All of the file, rising and disjoint.

    Raises:
        CopyError: a byte differs.
    """
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        expected.patched(first, last, _inside(patches, first, last))
        found.read(first, last)
        if not found.holds_the_same(expected, last - first):
            raise CopyError(
                f"the copy differs from what it should be near byte {first}; no target was written"
            )


def same_bytes(source: Path, target: Path, ranges: Iterable[tuple[int, int, int]]) -> bool:
    """Whether ranges of two files hold the same bytes.

    Args:
        source: One file.
        target: The other.
        ranges: Offset in the one, offset in the other, number of bytes.

    Returns:
        False as soon as a byte differs.
    """
    with source.open("rb", buffering=0) as old, target.open("rb", buffering=0) as new:
        expected, found = _Reader(old), _Reader(new)
        for first, second, size in ranges:
            for done in range(0, size, BLOCK):
                step = min(BLOCK, size - done)
                expected.read(first + done, first + done + step)
                found.read(second + done, second + done + step)
                if not found.holds_the_same(expected, step):
                    return False
    return True


class _Reader:
    """Reads ranges of a file of at most `BLOCK` bytes into one buffer, which the next reading overwrites."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self._bytes = bytearray(BLOCK)
        self._buffer = np.frombuffer(self._bytes, dtype=np.uint8)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """The bytes of a range."""
        block = self._buffer[: stop - start]
        self.file.seek(start)
        done = 0
        while done < len(block):
            count = self.file.readinto(block.data[done:])
            if not count:
                raise CopyError("a file became shorter while it was read; no target was written")
            done += count
        return block

    def patched(self, start: int, stop: int, patches: Sequence[Patch]) -> NDArray[np.uint8]:
        """The bytes of a range, with the patches, each of which has a part in it, in their places."""
        covered = len(patches) == 1 and patches[0].start <= start and stop <= patches[0].stop
        block = self._buffer[: stop - start] if covered else self.read(start, stop)
        for patch in patches:
            first, last = max(start, patch.start), min(stop, patch.stop)
            part = np.frombuffer(patch.between(first, last), dtype=np.uint8)
            block[first - start : last - start] = part
        return block

    def holds_the_same(self, other: _Reader, size: int) -> bool:
        """Whether the first bytes of both buffers are equal; whole ones are compared without a copy."""
        if size == BLOCK:
            return self._bytes == other._bytes
        return self._bytes[:size] == other._bytes[:size]


def _inside(patches: Sequence[Patch], start: int, stop: int) -> Sequence[Patch]:
    """The patches that have a part in a range."""
    first = bisect_right(patches, start, key=lambda patch: patch.stop)
    return patches[first : bisect_left(patches, stop, lo=first, key=lambda patch: patch.start)]


def _copy_in_kernel(source: FileIO, target: FileIO, start: int, stop: int) -> bool:
    """Copy a range to the same place without moving it through this process, if system and disk can."""
    while start < stop and hasattr(os, "copy_file_range"):
        try:
            count = os.copy_file_range(source.fileno(), target.fileno(), stop - start, start, start)
        except OSError:  # between two file systems, or on one that cannot; a full disk fails again on writing
            return False
        if count == 0:
            return False
        start += count
    return start == stop
