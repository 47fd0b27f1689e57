"""From raw arrays to a checked `PairedDataset`: every rule that a data set must obey, in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_data._dataset.dataset import PairedDataset, RowArray, Split, row_blocks
from cmh_data._dataset.quality import find_suspicious
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

Unlabelled = Literal["refuse", "keep"]


def assemble(
    *,
    image: RowArray,
    text: RowArray,
    labels: NDArray[Any],
    train: NDArray[Any],
    query: NDArray[Any],
    retrieval: NDArray[Any] | None = None,
    ids: Iterable[str] = (),
    label_names: Iterable[str] = (),
    text_vocabulary: Iterable[str] = (),
    fine_labels: NDArray[np.str_] | None = None,
    captions: Iterable[str] = (),
    name: str,
    provenance: Mapping[str, Any] | None = None,
    stored_digest: str | None = None,
    unlabelled: Unlabelled = "refuse",
    image_present: NDArray[np.bool_] | None = None,
    text_present: NDArray[np.bool_] | None = None,
    find_warnings: bool = True,
) -> PairedDataset:
    """Check raw arrays against each other and make a data set of them.

    Half-precision features are widened to float32, zeros and ones become uint8; other values stay.

    Args:
        image: `(n, d_image)` or `(n, 3, height, width)`.
        text: `(n, d_text)`.
        labels: `(n, n_label)` zeros and ones of any numeric dtype.
        train: rows of the training set, counted from 0.
        query: rows of the query set.
        retrieval: rows of the retrieval set; None: all rows that are not queries.
        ids: one name per row, or nothing.
        label_names: one name per label column, or nothing.
        text_vocabulary: one word per text column, or nothing.
        fine_labels: one finer class name per row.
        captions: one text per row, or nothing.
        name: how messages and reports call the data.
        provenance: JSON values to carry along.
        stored_digest: the digest stated by the file.
        unlabelled: what to do with a row that has no label: "refuse" or "keep".
        image_present: `(n,)` bool, rows that have an image; None: all.
        text_present: `(n,)` bool, rows that have a text; None: all.
        find_warnings: look for what is suspicious though not wrong; it goes into the data set's `findings`.

    Returns:
        The data set.

    Raises:
        DataError: rows that do not agree, values that are not finite, labels other than 0 and 1, an empty
            label row, or a split that overlaps or leaves the rows.
    """
    label = check_labels(labels, unlabelled=unlabelled)
    n = len(label)
    rows = {"image": image.shape[0], "text": text.shape[0], "labels": n}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{key} has {count}" for key, count in rows.items())
        raise DataError(f"image, text and labels must have the same number of rows, but {counts}.")
    split = check_split(n, train=train, query=query, retrieval=retrieval)
    names = {
        "ids": (tuple(ids), n, "rows"),
        "captions": (tuple(captions), n, "rows"),
        "label_names": (tuple(label_names), label.shape[1], "label columns"),
        "text_vocabulary": (
            tuple(text_vocabulary),
            text.shape[1] if len(text.shape) > 1 else 0,
            "text columns",
        ),
    }
    for key, (values, expected, what) in names.items():
        if values and len(values) != expected:
            raise DataError(f"{key} has {len(values)} entries, but there are {expected} {what}.")
    if fine_labels is not None and len(fine_labels) != n:
        raise DataError(f"fine_labels has {len(fine_labels)} entries, but there are {n} rows.")
    dataset = PairedDataset(
        image=check_modality("image", image),
        text=check_modality("text", text),
        label=label,
        split=split,
        image_present=_check_mask("image_present", image_present, n),
        text_present=_check_mask("text_present", text_present, n),
        ids=names["ids"][0],
        label_names=names["label_names"][0],
        text_vocabulary=names["text_vocabulary"][0],
        fine_labels=fine_labels,
        captions=names["captions"][0],
        name=name,
        provenance=dict(provenance or {}),
        stored_digest=stored_digest,
    )
    return replace(dataset, findings=find_suspicious(dataset)) if find_warnings else dataset


def _check_mask(name: str, mask: NDArray[Any] | None, n: int) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(n, np.bool_)
    if mask.shape != (n,):
        raise DataError(f"{name} must have one entry for each of {n} rows, but its shape is {mask.shape}.")
    if not mask.any():
        raise DataError(f"{name} must be true for at least one row, but it is false everywhere.")
    return mask.astype(np.bool_)


def check_modality(name: str, array: RowArray) -> RowArray:
    """Check one modality's values and give them their dtype; rows on disk are only looked at from outside."""
    allowed = (2, 4) if name == "image" else (2,)
    if len(array.shape) not in allowed or 0 in array.shape:
        expected = " or ".join({2: "(rows, width)", 4: "(rows, 3, height, width)"}[ndim] for ndim in allowed)
        raise DataError(f"{name} must have the shape {expected} with no empty axis, but it is {array.shape}.")
    if array.dtype.kind not in "buif":
        raise DataError(f"{name} must hold numbers, but its dtype is {array.dtype}.")
    if not isinstance(array, np.ndarray):
        return array
    bad_row = first_bad_row(array)
    if bad_row is not None:
        raise DataError(
            f"{name} must be finite, but row {bad_row} holds NaN or infinity; if whole rows of NaN mean that "
            f'nothing is there, read them with --missing nan (missing="nan").'
        )
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if len(array.shape) == 2 and array.dtype != np.uint8 and is_binary(array):
        return array.astype(np.uint8)
    return array


def check_labels(labels: NDArray[Any], *, unlabelled: Unlabelled = "keep") -> NDArray[np.uint8]:
    """Check that labels are zeros and ones, `(n, n_label)`, and return them as uint8."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or not len(labels):
        raise DataError(
            f"labels must be a table (rows, label columns) of 0 and 1, but its shape is {labels.shape}."
        )
    if labels.dtype.kind not in "buif":
        raise DataError(f"labels must hold 0 and 1, but its dtype is {labels.dtype}.")
    wrong = (labels != 0) & (labels != 1)  # NaN is different from both
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(f"labels must be 0 or 1, but row {row}, column {column} holds {labels[row, column]}.")
    label = labels.astype(np.uint8)
    empty = np.flatnonzero(~label.any(axis=1))
    if unlabelled == "refuse" and len(empty) and label.shape[1]:
        raise DataError(
            f"every row needs a label, but {len(empty)} rows have none, the first is row {empty[0]}: "
            'drop such rows, or keep them with --keep-unlabelled (unlabelled="keep").'
        )
    return label


def check_split(
    n: int, *, train: NDArray[Any], query: NDArray[Any], retrieval: NDArray[Any] | None = None
) -> Split:
    """Check the three index arrays against `n` rows; without `retrieval` it is every row that is no query."""
    query = _check_indices("query", query, n)
    train = _check_indices("train", train, n)
    is_query = np.zeros(n, dtype=bool)
    is_query[query] = True
    retrieval = np.flatnonzero(~is_query) if retrieval is None else _check_indices("retrieval", retrieval, n)
    for name, rows in (("train", train), ("retrieval", retrieval)):
        shared = rows[is_query[rows]]
        if len(shared):
            raise DataError(
                f"{name} and query must not share rows, but {len(shared)} rows are in both, "
                f"the first is row {shared[0]}: take them out of {name}"
                + (
                    ", or leave retrieval out, then all rows but the queries are ranked."
                    if name == "retrieval"
                    else "."
                )
            )
        if not len(rows):
            raise DataError(f"{name} must hold at least one row, but it is empty.")
    if not len(query):
        raise DataError("query must hold at least one row, but it is empty.")
    return Split(train=train, query=query, retrieval=retrieval.astype(np.int64))


def _check_indices(name: str, indices: NDArray[Any], n: int) -> NDArray[np.int64]:
    indices = np.asarray(indices)
    if indices.ndim == 2 and 1 in indices.shape:
        indices = indices.ravel()  # MATLAB knows no vectors but rows and columns
    if indices.ndim != 1 or indices.dtype.kind not in "iuf":
        raise DataError(
            f"{name} must be a list of row numbers, "
            f"but it has the shape {indices.shape} and dtype {indices.dtype}."
        )
    with np.errstate(invalid="ignore"):
        rows = indices.astype(np.int64)
    if (rows != indices).any():
        raise DataError(f"{name} must hold whole row numbers, but {indices[rows != indices][0]} is none.")
    outside = rows[(rows < 0) | (rows >= n)]
    if len(outside):
        raise DataError(f"{name} must hold row numbers from 0 to {n - 1}, but it holds {outside[0]}.")
    unique, counts = np.unique(rows, return_counts=True)
    if len(unique) < len(rows):
        raise DataError(f"{name} must name each row once, but row {unique[counts > 1][0]} is there twice.")
    return rows


def first_bad_row(array: NDArray[Any]) -> int | None:
    """The first row with NaN or infinity, or None."""
    if array.dtype.kind != "f":
        return None
    start = 0
    for block in row_blocks(array):
        finite = np.isfinite(block).reshape(len(block), -1).all(axis=1)
        if not finite.all():
            return start + int(np.argmin(finite))
        start += len(block)
    return None


def is_binary(array: NDArray[Any]) -> bool:
    """Whether every value is 0 or 1."""
    return all(bool(((block == 0) | (block == 1)).all()) for block in row_blocks(array))
