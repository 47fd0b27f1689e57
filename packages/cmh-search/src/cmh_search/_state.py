"""One state of an index: its manifest and the segments that the manifest names, opened together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmh_search._arrays import damaged, map_array
from cmh_search._errors import CodeIndexError
from cmh_search._manifest import Manifest
from cmh_search._segment import Segment, file_missing, hash_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_search._manifest import SegmentEntry

_ATTEMPTS = 20  # to open a state that a writer does not replace in the meantime


@dataclass(frozen=True, eq=False)
class IndexState:
    """An index as a reader opened it; what a writer does later does not change it.

    Args:
        manifest: what the index holds.
        segments: its segments, in the order of the rows.
        first_row: `(n_segment + 1,)` int64, the first row of each segment, and the number of rows.
    """

    manifest: Manifest
    segments: tuple[Segment, ...]
    first_row: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> IndexState:
        """Open the newest state.

        Raises:
            CodeIndexError: if there is no index, or it is damaged or of another version.
        """
        for attempt in range(_ATTEMPTS):
            manifest = Manifest.read(folder)
            try:
                segments = tuple(open_segment(folder, entry, manifest) for entry in manifest.segments)
                for segment in segments:
                    segment.open()
            except FileNotFoundError as error:
                if attempt == _ATTEMPTS - 1 or Manifest.read(folder) == manifest:
                    raise file_missing(error) from None
            else:
                break
        sizes = [len(segment) for segment in segments]
        return cls(manifest, segments, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def __iter__(self) -> Iterator[tuple[Segment, int]]:
        """Each segment and its first row."""
        return iter(zip(self.segments, map(int, self.first_row), strict=False))

    def locate(self, row: int) -> tuple[Segment, int]:
        """Return the segment that holds a row, and the row counted from the segment's beginning.

        Raises:
            CodeIndexError: if there is no such row; -1 stands for no item.
        """
        if not 0 <= row < self.first_row[-1]:
            raise CodeIndexError(f"row must be 0 to {self.first_row[-1] - 1}, but it is {row}")
        number = int(np.searchsorted(self.first_row, row, side="right")) - 1
        return self.segments[number], int(row - self.first_row[number])

    def rows_of(self, names: Sequence[str]) -> list[int]:
        """Return the rows of items by their ids.

        Raises:
            CodeIndexError: if no item has one of the ids.
        """
        rows: dict[str, int] = {}
        if wrong := [name for name in names if not isinstance(name, str)]:  # type: ignore[redundant-expr]
            raise CodeIndexError(f"ids must be strings, but one is {wrong[0]!r}")
        hashes = hash_ids(names)
        for segment, first_row in self:
            rows |= {name: first_row + row for name, row in segment.find(names, hashes).items()}
        if missing := [name for name in names if name not in rows]:
            raise CodeIndexError(f"there is no item with the id {missing[0]!r} in this index")
        return [rows[name] for name in names]


def open_segment(folder: Path, entry: SegmentEntry, manifest: Manifest) -> Segment:
    """Open a segment of an index.

    Raises:
        FileNotFoundError: if a writer has replaced it in the meantime.
        CodeIndexError: if its files disagree with the manifest.
    """
    deleted = None
    if entry.deleted is not None:
        packed = map_array(folder / entry.deleted)
        if packed.dtype != np.uint8 or packed.shape != (-(-entry.n // 8),):
            raise damaged(folder / entry.deleted, f"{packed.dtype} of shape {packed.shape}")
        deleted = np.unpackbits(packed, count=entry.n).astype(bool)
    segment = Segment(folder / entry.name, bits=manifest.bits, value_type=manifest.kept_type, deleted=deleted)
    if len(segment) != entry.n:
        raise CodeIndexError(
            f"{folder / entry.name} holds {len(segment)} items, but the manifest says {entry.n}; the index "
            "is damaged, make it anew"
        )
    return segment
