"""Labels of queries and database, packed into 64-bit words so that "shares a label" is one AND."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from cmh_metrics._inputs.checks import as_matrix, as_numpy
from cmh_metrics._inputs.packing import Bits, Block, Words, blocks, pack_rows, zero_one

_EXACT = 2.0**53  # whole numbers below it are exact as floats
_LIST = re.compile(r"^\s*[\[(]|[|;]")  # how several names stand in one text
_SHOWN = 8  # classes that a report names


class LabelRows:
    """Rows of packed multi-hot labels, read on demand.

    Args:
        labels: `(n, n_label)` of 0 and 1; a numpy array, a memory map, an HDF5 data set or a torch tensor.
        name: how error messages call it.
        signed: whether the values are -1 and +1 instead.
    """

    def __init__(self, labels: Any, name: str, *, signed: bool = False) -> None:
        self._name = name
        self.source = as_matrix(labels, name)
        self._signed = signed
        self.shape: tuple[int, int] = (int(self.source.shape[0]), int(self.source.shape[1]))
        self.n_label = self.shape[1]
        self.text = "-1 and +1" if signed else "0 and 1"

    def __len__(self) -> int:
        return self.shape[0]

    def words(self, start: int, stop: int) -> Words:
        """Return rows `start` to `stop` as `(stop - start, ceil(n_label / 64))` uint64."""
        return pack_rows(self.source, start, stop, self._name, self._as_bits)

    def has_minus_one(self) -> bool:
        """Whether the first block of values holds a -1, as all of a signed table does."""
        _, block = next(blocks(self.source, 0, len(self), self._name))
        return block.dtype.kind in "if" and bool((block == -1).any())

    def _as_bits(self, block: Block) -> Bits:
        if not self._signed:
            return zero_one(block, self._name)
        other = block[(block != -1) & (block != 1)]
        if other.size:
            raise ValueError(
                f"{self._name} must contain only 0 and 1, or only -1 and +1 on both sides, but one side "
                f"contains -1 and this one {other[0].item()}"
            )
        return np.greater(block, 0)


class ClassRows:
    """The same of one class for each item.

    Args:
        classes: `(n,)` int64, numbers from 0 on.
        n_label: how many classes there are.
        text: what a report says of them.
        names: `(n_label,)` the numbers or names themselves, ascending.
    """

    def __init__(self, classes: Any, n_label: int, text: str, names: Any) -> None:
        self._classes, self.n_label, self.text, self.names = classes, n_label, text, names
        self.shape = (len(classes), n_label)

    def __len__(self) -> int:
        return self.shape[0]

    def words(self, start: int, stop: int) -> Words:
        """Return rows `start` to `stop` as `(stop - start, ceil(n_label / 64))` uint64."""
        part = self._classes[start:stop]
        words = np.zeros((len(part), -(-self.n_label // 64)), np.uint64)
        words[np.arange(len(part)), part // 64] = np.uint64(1) << (part % 64).astype(np.uint64)
        return words


def both_labels(
    query_labels: Any, database_labels: Any
) -> tuple[LabelRows | ClassRows, LabelRows | ClassRows]:
    """Return the label rows of both sides, which are written alike.

    Raises:
        ValueError: if one side is a table and the other names one class an item, the tables differ in
            columns, or
        the values are not what they should be.
    """
    sides = [
        (name, labels if hasattr(labels, "shape") else np.asarray(labels))
        for name, labels in (("query_labels", query_labels), ("database_labels", database_labels))
    ]
    vectors = [len(labels.shape) == 1 for _, labels in sides]
    if all(vectors):
        return _both_classes(*(class_values(labels, name) for name, labels in sides))
    if any(vectors):
        vector, table = (sides[i][0] for i in (vectors.index(True), vectors.index(False)))
        raise ValueError(
            f"{vector} must be a table of labels (rows, labels) as {table} is, but its shape is "
            f"{tuple(dict(sides)[vector].shape)}; turn class numbers into one column per class, for example "
            "numpy.eye(n_class)[numbers], or give them on both sides"
        )
    rows = [LabelRows(labels, name) for name, labels in sides]
    if rows[0].n_label != rows[1].n_label:
        raise ValueError(
            "query_labels and database_labels must have the same number of columns, "
            f"but they have {rows[0].n_label} and {rows[1].n_label}"
        )
    negative = [name for (name, _), side in zip(sides, rows, strict=True) if side.has_minus_one()]
    if negative:
        for (name, _), side in zip(sides, rows, strict=True):
            _, block = next(blocks(side.source, 0, len(side), name))
            if (block == 0).any():
                raise ValueError(
                    f"{negative[0]} must contain only 0 and 1, but it contains -1; labels of -1 and +1 must "
                    f"have no zero on either side, and {name} has"
                )
        rows = [LabelRows(labels, name, signed=True) for name, labels in sides]
    return rows[0], rows[1]


def class_values(labels: Any, name: str) -> Any:
    """Return one class for each item as `(n,)` int64 or text."""
    array = np.asarray(labels)
    if array.dtype.kind == "O" and all(isinstance(value, (str, bytes)) for value in array):
        array = np.array([v.decode("utf-8") if isinstance(v, bytes) else v for v in array.tolist()])
    if not len(array):
        raise ValueError(f"{name} must have at least one row, but its shape is {array.shape}")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind in "UT":
        several = next((text for text in map(str, array) if _LIST.search(text)), None)
        if several is not None:
            raise ValueError(
                f"{name} must hold one class name an item, but {several!r} looks like several; give a table "
                "of 0 and 1 with a column for each class"
            )
        return array
    array = as_numpy(array, name)
    if array.dtype.kind == "f" and not ((array == np.rint(array)) & (np.abs(array) < _EXACT)).all():
        raise ValueError(
            f"{name} must hold one class number or class name an item, but it holds other numbers"
        )
    return array.astype(np.int64)


def _both_classes(query: Any, database: Any) -> tuple[ClassRows, ClassRows]:
    if (query.dtype.kind == "i") != (database.dtype.kind == "i"):
        raise ValueError(
            "query_labels and database_labels must both be class numbers or both class names, "
            f"but they are {query.dtype} and {database.dtype}"
        )
    classes = np.unique(np.concatenate([query, database]))
    text = class_text(classes)
    return (
        ClassRows(np.searchsorted(classes, query), len(classes), text, classes),
        ClassRows(np.searchsorted(classes, database), len(classes), text, classes),
    )


def class_text(classes: Any) -> str:
    """Return what a report says of the classes that occur, ascending.

    Raises:
        ValueError: if they are numbers that can't be classes.
    """
    is_number = classes.dtype.kind == "i"
    if is_number and classes[0] < 0 and classes.tolist() != [-1, 1]:
        raise ValueError(
            "query_labels and database_labels must hold class numbers from 0 on, or only -1 and +1 of two "
            f"classes, but they hold numbers from {classes[0]} to {classes[-1]}"
        )
    names = ", ".join(map(str, classes[:_SHOWN].tolist())) + (", ..." if len(classes) > _SHOWN else "")
    return f"class {'numbers' if is_number else 'names'} ({len(classes)}: {names})"
