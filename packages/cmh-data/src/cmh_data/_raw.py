"""What a reader hands on: the parts of a data set that a file really holds, and how they were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from cmh_data._dataset import RowArray


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
    attributes: dict[str, Any] = field(default_factory=dict)
    present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, RowArray]:
        """The row-aligned arrays that are there."""
        named = (("image", self.image), ("text", self.text), ("labels", self.labels))
        return {name: array for name, array in named if array is not None}


def one_hot(labels: NDArray[Any], notes: list[str], *, key: str = "labels") -> NDArray[Any]:
    """Expand class numbers, counted from 0 or 1, to one column per class; tables pass unchanged."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels
    column = labels.ravel()
    if column.dtype.kind not in "iufb" or not len(column):
        raise DataError(
            f"{key} must hold class numbers, but it has {len(column)} rows of dtype {column.dtype}."
        )
    if not np.isfinite(column.astype(np.float64)).all() or (column != np.floor(column)).any():
        raise DataError(f"{key} must hold whole class numbers, but some values are not whole.")
    base, last = int(column.min()), int(column.max())
    if base not in {0, 1} or last > 10_000:
        raise DataError(
            f"{key} must hold class numbers counted from 0 or 1, but they run from {base} to {last}."
        )
    notes.append(f"{key}: class numbers {base} to {last} were expanded to {last - base + 1} columns.")
    table: NDArray[np.bool_] = column[:, None] == np.arange(base, last + 1)
    return table.astype(np.uint8)


def numbers(values: Iterable[int]) -> NDArray[np.int64]:
    """Row numbers as an array."""
    return np.fromiter(values, np.int64)
