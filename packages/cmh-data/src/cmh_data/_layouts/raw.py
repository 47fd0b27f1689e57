"""What a reader hands on: the parts of a data set that a file really holds, and how they were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._layouts.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray


@dataclass(kw_only=True)
class RawData:
    """The parts of a data set as found, rows first; a part that is not there is None.

    Args:
        path: the file or folder that was read.
        layout: one line, the name of the layout.
        image: `(n, d_image)` or `(n, 3, height, width)`.
        text: `(n, d_text)`.
        labels: `(n, n_label)`, not yet checked.
        train: row numbers from 0; likewise `query` and `retrieval`.
        ids: one name per row, or empty.
        label_names: one name per label column, or empty.
        text_vocabulary: one word per text column, or empty.
        fine_labels: a finer class name per row.
        captions: running texts per row, of layouts that hold no word vectors.
        chosen: which key became which part, for the report.
        notes: what was turned, expanded or ignored, one sentence each.
        warnings: what is suspicious about how the file was read; it becomes findings.
        keys: everything that the file holds, for messages.
        attributes: the file's own attributes.
        present: from "image" and "text" to `(n,)` bool, which rows have it; a side that is not there has all.
    """

    path: Path
    layout: str
    image: RowArray | None = None
    text: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    train: NDArray[Any] | None = None
    query: NDArray[Any] | None = None
    retrieval: NDArray[Any] | None = None
    ids: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    text_vocabulary: tuple[str, ...] = ()
    fine_labels: NDArray[np.str_] | None = None
    captions: tuple[str, ...] = ()
    chosen: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    keys: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, RowArray]:
        """The row-aligned arrays that are there."""
        named = (("image", self.image), ("text", self.text), ("labels", self.labels))
        return {name: array for name, array in named if array is not None}


def class_table(labels: list[NDArray[Any]], raw: RawData, *, key: str) -> list[NDArray[np.uint8]]:
    """Turn the labels of a file into zeros and ones, see `read_labels`; names and notes go into `raw`.

    Args:
        labels: one array, or one for each side.
        raw: the parts found so far.
        key: what messages call them.

    Returns:
        One table for each array.
    """
    found = read_labels(*labels, name=key)
    raw.notes += found.notes
    raw.label_names = raw.label_names or found.names
    return list(found.tables)


def numbers(values: Iterable[int]) -> NDArray[np.int64]:
    """Row numbers as an array."""
    return np.fromiter(values, np.int64)
