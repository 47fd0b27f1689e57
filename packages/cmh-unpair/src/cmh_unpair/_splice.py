"""Copy a file and put other bytes at some places, in one pass, with a checksum of what was copied."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP = 8 * 2**20


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
        per_block = max(1, STEP // len(self.pattern))
        for done in range(0, self.times, per_block):
            yield self.pattern * min(per_block, self.times - done)


def splice(source: BinaryIO, target: BinaryIO, patches: Sequence[Patch], *, size: int) -> int:
    """Copy `size` bytes, with the patches instead of what stood in their places.

    Args:
        source: Open for reading.
        target: Open for writing, empty.
        patches: Rising and disjoint.
        size: Bytes of the source.

    Returns:
        CRC-32 of the bytes outside the patches.
    """
    checksum = 0
    position = 0
    for patch in patches:
        checksum = _copy(source, target, position, patch.start, checksum)
        target.writelines(patch.blocks())
        position = patch.stop
    return _copy(source, target, position, size, checksum)


def check_splice(target: BinaryIO, patches: Sequence[Patch], *, size: int, checksum: int) -> bool:
    """Read a spliced file again and compare it with what was copied and patched.

    Args:
        target: Open for reading.
        patches: As given to `splice`.
        size: Bytes of the source.
        checksum: What `splice` returned.

    Returns:
        Whether every byte is as it should be.
    """
    found = 0
    position = 0
    for patch in patches:
        found = _copy(target, None, position, patch.start, found)
        target.seek(patch.start)
        if any(target.read(len(block)) != block for block in patch.blocks()):
            return False
        position = patch.stop
    return _copy(target, None, position, size, found) == checksum


def _copy(source: BinaryIO, target: BinaryIO | None, start: int, stop: int, checksum: int) -> int:
    source.seek(start)
    buffer = memoryview(bytearray(min(STEP, max(1, stop - start))))
    while start < stop:
        count = source.readinto(buffer[: stop - start])  # type: ignore[attr-defined]
        if not count:
            raise OSError("the file became shorter while it was read")
        if target is not None:
            target.write(buffer[:count])
        checksum = zlib.crc32(buffer[:count], checksum)
        start += count
    return checksum
