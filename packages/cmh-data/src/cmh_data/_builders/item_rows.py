"""What a folder says of its items, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST_TEXTS = 1 << 30  # characters of all texts together
SIDES: Mapping[str, str] = {
    "train": "train", "training": "train", "query": "query", "queries": "query", "test": "query",
    "testing": "query", "retrieval": "retrieval", "database": "retrieval", "db": "retrieval",
    "gallery": "retrieval", "val": "retrieval", "valid": "retrieval", "validation": "retrieval",
    "dev": "retrieval", "restval": "retrieval",
}  # fmt: skip


@dataclass
class ItemRows:
    """Items as a table, or files beside each other, say them.

    Args:
        where: what the rows stand in, for messages.
        read: how they were read, in a few words.
        ids: of each row: its picture, the file of its text, or its place in a table.
        images: the path of each row's picture as stated; "" where there is none.
        texts: the text of each row; "" where there is none.
        labels: the cell of labels of each row.
        sides: train, query, retrieval or "" of each row.
    """

    where: str
    read: str = ""
    ids: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)
    _characters: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def add(self, source: Path, *, item: str, image: str, text: str, labels: Any, side: str) -> None:
        """Append one row; texts of more than 2^30 characters together are refused."""
        self._characters += len(text)
        if self._characters > LARGEST_TEXTS:
            raise DataError(
                f"{source}: the texts of {self.where} are longer than {LARGEST_TEXTS} characters."
            )
        self.ids.append(item)
        self.images.append(image)
        self.texts.append(text)
        self.labels.append(labels)
        self.sides.append(side)
