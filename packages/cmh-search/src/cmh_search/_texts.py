"""Many short texts in two files: all of them one after the other, and the place where each begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_search._arrays import damaged, map_array, write_array, write_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts on their way into a segment; those of other segments stay where they are until they are copied.

    Args:
        lengths: `(n,)` int64, in bytes.
        pieces: uint8 arrays that hold them all, one after the other.
    """

    lengths: NDArray[np.int64]
    pieces: Sequence[NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Texts:
        """Take texts from memory."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        return cls(lengths, (np.frombuffer(b"".join(texts), np.uint8),))

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """Put texts one behind the other."""
        return cls(
            np.concatenate([part.lengths for part in parts]),
            [piece for part in parts for piece in part.pieces],
        )

    def write(self, folder: Path, name: str) -> None:
        """Write the two files and wait until they are on the disk."""
        ends = np.cumsum(self.lengths)
        write_array(folder / f"{name}_offset.npy", np.concatenate([[0], ends]).astype(np.int64))
        write_pieces(folder / f"{name}.npy", self.pieces, int(ends[-1]) if len(ends) else 0)


class MappedTexts:
    """Texts of a segment, mapped into memory.

    Args:
        folder: of the segment.
        name: of the files.

    Raises:
        CodeIndexError: if they are damaged, as far as types and ends tell.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}_offset.npy"
        self._offset = map_array(self._path)
        self._content = map_array(folder / f"{name}.npy")
        if (
            self._offset.dtype != np.int64 or self._offset.ndim != 1 or not len(self._offset)
            or self._content.dtype != np.uint8 or self._content.shape != (self._offset[-1],)
        ):  # fmt: skip
            raise damaged(self._path, f"it does not go with {name}.npy")

    def __len__(self) -> int:
        return len(self._offset) - 1

    def __getitem__(self, row: int | np.integer[Any]) -> bytes:
        return bytes(self._content[self._offset[row] : self._offset[row + 1]].data)

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """Return the texts of rising rows; neighbours are one piece.

        Raises:
            CodeIndexError: if a text ends before it begins.
        """
        starts, stops = self._offset[rows], self._offset[rows + 1]
        if len(rows) and (starts[0] < 0 or (stops < starts).any() or (starts[1:] < stops[:-1]).any()):
            raise damaged(self._path, "a text ends before it begins")
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        first = starts[np.concatenate([[0], breaks])] if len(rows) else ()
        last = stops[np.concatenate([breaks - 1, [len(rows) - 1]])] if len(rows) else ()
        return Texts(stops - starts, [self._content[a:b] for a, b in zip(first, last, strict=True)])
