"""The manifest: the one file that says what an index holds; it is replaced as a whole."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from cmh_search._arrays import sync_folder
from cmh_search._errors import CodeIndexError

if TYPE_CHECKING:
    from pathlib import Path

ValueType = Literal["float16", "int8"]
"""How network outputs are kept for re-ranking."""

FORMAT = "cmh-search index"
VERSION = 1
NAME = "index.json"
_NAME_OF_FILE = re.compile(r"\d{8,}(\.deleted\.npy)?")


@dataclass(frozen=True, kw_only=True)
class SegmentEntry:
    """A segment of an index.

    Args:
        name: its folder.
        n: its items.
        deleted: the file that says which were deleted, or None.
        n_deleted: how many.
    """

    name: str
    n: int
    deleted: str | None = None
    n_deleted: int = 0


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an index holds.

    Args:
        bits: code length.
        label_names: names of the labels, in the order of the label bits.
        value_width: numbers in the network output kept for an item's code; 0: none are kept.
        value_type: of these numbers.
        segments: in the order of the rows.
        next_number: of the next file or folder, so that no name is ever used twice.
        remarks: whatever else travels along, as JSON values.
    """

    bits: int
    label_names: tuple[str, ...] = ()
    value_width: int = 0
    value_type: ValueType = "float16"
    segments: tuple[SegmentEntry, ...] = field(default=())
    next_number: int = 1
    remarks: dict[str, Any] = field(default_factory=dict)

    def _fault(self) -> str:
        """Say what no index has; names of segments become paths."""
        numbers = (self.bits, self.value_width, self.next_number, *(entry.n for entry in self.segments))
        names = [name for entry in self.segments for name in (entry.name, entry.deleted) if name is not None]
        others: tuple[object, ...] = (*names, *self.label_names)
        if not all(type(number) is int and number >= 0 for number in numbers) or not self.bits:
            return "a number is none"
        if not all(isinstance(other, str) for other in others):
            return "a name is none"
        if not all(_NAME_OF_FILE.fullmatch(name) for name in names):
            return "a segment has a name that no index gives"
        if self.value_type not in get_args(ValueType):
            return f"value_type {self.value_type!r} is unknown"
        return "" if type(self.remarks) is dict else "remarks are no table"

    @property
    def kept_type(self) -> np.dtype[Any] | None:
        """The type of the network outputs kept, or None where there are none."""
        return np.dtype(self.value_type) if self.value_width else None

    def numbered(self) -> tuple[str, Manifest]:
        """Return a new name, and the manifest that has used it."""
        return f"{self.next_number:08}", replace(self, next_number=self.next_number + 1)

    def write(self, folder: Path) -> None:
        """Replace the manifest of an index; afterwards the change is on the disk."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        temporary = folder / f".{NAME}.{os.getpid()}.partial"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / NAME)
        sync_folder(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of an index.

        Raises:
            CodeIndexError: where there is none, or one of another format or version.
        """
        path = folder / NAME
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            known = content.pop("format") == FORMAT
        except (FileNotFoundError, NotADirectoryError):
            raise CodeIndexError(
                f"{folder} is no index: it has no {NAME}; make one with CodeIndex.create or umml index"
            ) from None
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
            known = False
        if not known:
            raise CodeIndexError(
                f"{path} is damaged or belongs to something else; make the index anew"
            ) from None
        if (version := content.pop("version", None)) != VERSION:
            raise CodeIndexError(
                f"{path} has version {version}, but this cmh-search reads version {VERSION}; make the index "
                "anew or use the cmh-search that made it"
            )
        try:
            segments = tuple(SegmentEntry(**entry) for entry in content.pop("segments"))
            read = cls(segments=segments, label_names=tuple(content.pop("label_names")), **content)
        except (TypeError, KeyError, ValueError) as error:
            raise CodeIndexError(f"{path} is damaged ({error}); make the index anew") from None
        if reason := read._fault():
            raise CodeIndexError(f"{path} is damaged ({reason}); make the index anew")
        return read
