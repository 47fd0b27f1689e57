"""Labels as people have them, by one rule for every container and for `umml evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders.label_lists import label_lists
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LARGEST_CLASS_NUMBER = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """Labels as tables of zeros and ones.

    Args:
        tables: one `(n, n_label)` uint8 table for each array that was given, all of the same columns.
        names: of the columns, where the labels say them; otherwise empty.
        notes: what was done, one sentence each; empty where the labels were such tables already.
    """

    tables: tuple[NDArray[np.uint8], ...]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_labels(*labels: ArrayLike, name: str = "labels") -> Labels:
    """Turn labels into tables of zeros and ones; several arrays, such as of queries and database, together.

    A table `(n, n_label)` of two or more columns holds 0 and 1, or -1 and +1. A vector, `(n, 1)` or `(1, n)`,
    holds class numbers, -1 and +1 of two classes, or class names; one column of 0 and 1 is two classes. Text
    may hold several names, joined by `;`, `|` or `,`. Class numbers count from 0 or 1, or are any others.

    Args:
        *labels: `(n, n_label)` tables or `(n,)` vectors of one kind: integers, float, bool or str.
        name: what messages call them.

    Returns:
        The tables, the names of their columns where known, and what was done.

    Raises:
        DataError: values that are no labels, arrays of different kinds, or no array.

    Example:
        >>> read_labels([0, 2, 1], [2]).tables[1].tolist()
        [[0, 0, 1]]
        >>> read_labels([[1, -1], [-1, 1]]).notes
        ('labels: -1 and +1 were read as 0 and 1.',)
    """
    arrays = [np.asarray(array) for array in labels]
    if not arrays:
        raise DataError(f"{name} must be at least one array, but there is none.")
    if all(array.ndim == 2 and array.shape[1] == 0 for array in arrays):
        return Labels(tables=tuple(np.zeros(array.shape, np.uint8) for array in arrays))
    vectors = [array.ravel() if _is_vector(array) else array for array in arrays]
    if len({array.ndim for array in vectors}) > 1 or vectors[0].ndim not in {1, 2}:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise DataError(
            f"{name} must be tables of one width or vectors of class numbers, but they are {shapes}."
        )
    if vectors[0].ndim == 2:
        return _from_tables(vectors, name)
    ends = np.cumsum([len(vector) for vector in vectors])[:-1]
    whole = np.concatenate(vectors)
    if not len(whole):
        raise DataError(f"{name} must have at least one row, but they are empty.")
    if whole.dtype.kind in "USO":
        table, names, note = _from_names([_plain_text(one) for one in whole.tolist()])
    elif whole.dtype.kind in "buif":
        table, names, note = _from_numbers(whole, name)
    else:
        raise DataError(f"{name} must hold numbers or names, but the dtype is {whole.dtype}.")
    return Labels(tables=tuple(np.split(table, ends)), names=names, notes=(f"{name}: {note}",))


def _is_vector(array: NDArray[Any]) -> bool:
    return array.ndim == 2 and 1 in array.shape


def _from_tables(tables: list[NDArray[Any]], name: str) -> Labels:
    widths = {table.shape[1] for table in tables}
    if len(widths) > 1:
        raise DataError(f"{name} must be tables of one width, but they are {sorted(widths)} wide.")
    if any(table.dtype.kind not in "buif" for table in tables):
        raise DataError(f"{name} must hold 0 and 1, but the dtype is {tables[0].dtype}.")
    low = min((float(table.min()) for table in tables if table.size), default=0.0)
    if low == -1 and all(((table == -1) | (table == 1)).all() for table in tables):
        return Labels(
            tables=tuple((table == 1).astype(np.uint8) for table in tables),
            notes=(f"{name}: -1 and +1 were read as 0 and 1.",),
        )
    for table in tables:
        wrong = (table != 0) & (table != 1)  # NaN is different from both
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DataError(
                f"{name} must be 0 or 1, but row {row}, column {column} holds {table[row, column]}."
            )
    return Labels(tables=tuple(table.astype(np.uint8) for table in tables))


def _from_numbers(column: NDArray[Any], name: str) -> tuple[NDArray[np.uint8], tuple[str, ...], str]:
    values = column.astype(np.float64)
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        raise DataError(f"{name} must hold whole class numbers, but some values are not whole.")
    if set(np.unique(values)) == {-1.0, 1.0}:
        return _one_hot(values, np.array([-1.0, 1.0])), (), "-1 and +1 were read as two classes."
    base, last = int(values.min()), int(values.max())
    if base < 0:
        raise DataError(
            f"{name} must hold class numbers from 0 on, but they run from {base} to {last}; give rows "
            "without a label a table of 0 and 1 with a column for each class."
        )
    if base in {0, 1} and last <= LARGEST_CLASS_NUMBER:
        classes = np.arange(base, last + 1, dtype=np.float64)
        note = f"class numbers {base} to {last} were expanded to {len(classes)} columns."
        return _one_hot(values, classes), (), note
    classes = np.unique(values)
    if len(classes) > LARGEST_CLASS_NUMBER or (len(values) > 50 and 2 * len(classes) > len(values)):
        raise DataError(
            f"{name} must hold class numbers, but {len(values)} rows have {len(classes)} different numbers, "
            f"from {base} to {last}."
        )
    names = tuple(str(int(one)) for one in classes)
    note = f"{len(classes)} different class numbers from {base} to {last} were expanded to a column each."
    return _one_hot(values, classes), names, note


def _one_hot(values: NDArray[np.float64], classes: NDArray[np.float64]) -> NDArray[np.uint8]:
    table = np.zeros((len(values), len(classes)), np.uint8)
    table[np.arange(len(values)), np.searchsorted(classes, values)] = 1
    return table


def _from_names(cells: list[str]) -> tuple[NDArray[np.uint8], tuple[str, ...], str]:
    rows, how = label_lists(cells)
    names = tuple(sorted({one for row in rows for one in row}))
    number = {one: column for column, one in enumerate(names)}
    table = np.zeros((len(rows), len(names)), np.uint8)
    for row, ones in enumerate(rows):
        table[row, [number[one] for one in ones]] = 1
    return table, names, f"class names{f' ({how})' if how else ''} were expanded to {len(names)} columns."


def _plain_text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0")
