"""Copy a file and put other bytes at some places, in one pass, and compare the copy with its source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP = 8 * 2**20
CACHED_STEP = 2**18  # two buffers of this size stay in the processor's cache while they are compared


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

    def blocks(self) -> Iterator[bytes]:
        """The bytes in blocks of bounded size."""
        at_once = max(1, CACHED_STEP // len(self.pattern))
        block = self.pattern * at_once
        for _ in range(self.times // at_once):
            yield block
        yield self.pattern * (self.times % at_once)


def splice(source: BinaryIO, target: BinaryIO, patches: Sequence[Patch], *, size: int) -> None:
    """Copy `size` bytes, with the patches instead of what stood in their places.

    Args:
        source: Open for reading.
        target: Open for reading and writing, empty.
        patches: Rising and disjoint.
        size: Bytes of the source.
    """
    for start, stop, patch in _gaps(patches, size):
        _copy(source, target, start, stop)
        if patch is not None:
            target.seek(patch.start)
            target.writelines(patch.blocks())
    target.flush()


def check_splice(source: BinaryIO, target: BinaryIO, patches: Sequence[Patch], *, size: int) -> None:
    """Read a spliced file again and compare it, byte by byte, with its source and the patches.

    Args:
        source: Open for reading.
        target: Open for reading.
        patches: As given to `splice`.
        size: Bytes of the source.

    Raises:
        OSError: If a byte differs.
    """
    ours, theirs = bytearray(CACHED_STEP), bytearray(CACHED_STEP)
    for start, stop, patch in _gaps(patches, size):
        source.seek(start)
        target.seek(start)
        for first in range(start, stop, CACHED_STEP):
            if stop - first < CACHED_STEP:
                ours, theirs = bytearray(stop - first), bytearray(stop - first)
            elif len(ours) < CACHED_STEP:
                ours, theirs = bytearray(CACHED_STEP), bytearray(CACHED_STEP)
            source.readinto(ours)  # type: ignore[attr-defined]
            target.readinto(theirs)  # type: ignore[attr-defined]
            if ours != theirs:
                raise OSError("the copied bytes differ from the source; the target was not replaced")
        if patch is not None and any(target.read(len(block)) != block for block in patch.blocks()):
            raise OSError("the emptied bytes are not what was written; the target was not replaced")


def _gaps(patches: Sequence[Patch], size: int) -> Iterator[tuple[int, int, Patch | None]]:
    """The ranges between the patches, each with the patch that follows it."""
    position = 0
    for patch in patches:
        yield position, patch.start, patch
        position = patch.stop
    yield position, size, None


def _copy(source: BinaryIO, target: BinaryIO, start: int, stop: int) -> None:
    """Copy a range to the same place, inside the kernel where it can."""
    target.flush()
    while start < stop and hasattr(os, "copy_file_range"):
        try:
            count = os.copy_file_range(source.fileno(), target.fileno(), stop - start, start, start)
        except OSError:  # between two file systems, or on one that cannot
            break
        if count == 0:
            break
        start += count
    source.seek(start)
    target.seek(start)
    while start < stop:
        data = source.read(min(STEP, stop - start))
        if not data:
            raise OSError("the source became shorter while it was read")
        target.write(data)
        start += len(data)
