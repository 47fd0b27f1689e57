"""Own splits as people have them: other names, masks, columns, rows counted from 1, a word for each row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import strings

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_files import Variable
    from numpy.typing import NDArray

    from cmh_data._layouts.raw import RawData

SIDES: Mapping[str, str] = {
    "train": "train", "training": "train", "tr": "train", "trn": "train",
    "query": "query", "queries": "query", "test": "query", "testing": "query", "te": "query", "tst": "query",
    "retrieval": "retrieval", "database": "retrieval", "db": "retrieval", "gallery": "retrieval",
    "base": "retrieval", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation",
}  # fmt: skip
# Words beside it in a key: `train_idx`, `indexQuery`, `is_test`, `split/train_mask`.
_BESIDE = frozenset({
    "idx", "index", "indexes", "indices", "ind", "inds", "id", "ids", "row", "rows", "mask", "is", "in",
    "set", "split", "item", "items", "number", "numbers", "no",
})  # fmt: skip
SPLIT_COLUMNS = frozenset({"split", "splits", "set", "subset", "partition"})


def side_of(key: str) -> str | None:
    """Say which side of a split a key names.

    Args:
        key: the name of an array, or of a file.

    Returns:
        "train", "query", "retrieval", "validation", or None.
    """
    found = {SIDES[word] for word in words_of(key) if word in SIDES}
    others = [word for word in words_of(key) if word not in SIDES and word not in _BESIDE]
    return found.pop() if len(found) == 1 and not others else None


def words_of(key: str) -> list[str]:
    """Return the words of a key's last part: `param/indexQuery` is index, query."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", key.rsplit("/", 1)[-1])]


def read_split(raw: RawData, found: Mapping[str, Variable], n: int, *, first_row: int | None = None) -> None:
    """Read the split of a file into `raw`, where the layout has not done so.

    Args:
        raw: the parts found so far.
        found: the variables of the file by key.
        n: the number of rows.
        first_row: from which number the file counts rows, 0 or 1; None: from 1 where no row 0 and a row n is
            named.

    Raises:
        DataError: masks of another length, or two arrays for one side.
    """
    given = _find_sides(raw, found)
    if not given:
        _read_column(raw, found, n)
        return
    rows: dict[str, NDArray[Any]] = {}
    counted: list[str] = []  # sides of row numbers, not of masks
    for side, key in given.items():
        values = np.asarray(found[key].read())
        values = values.ravel() if _is_vector(values.shape) else values
        if values.dtype.kind == "b" and len(values) != n:
            raise DataError(
                f"{raw.path}: {key} is a mask of {len(values)} entries, but there are {n} rows; give one "
                "entry for each row, or row numbers."
            )
        if _is_mask(values, n):
            rows[side] = np.flatnonzero(values)
        else:
            rows[side] = values
            counted.append(side)
        if key != side:
            raw.notes.append(f"{key}: read as the {side} rows.")
    _count_from_zero(raw, rows, counted, n, first_row)
    query, retrieval = rows.get("query"), rows.get("retrieval")
    if query is not None and retrieval is not None and np.array_equal(np.sort(retrieval), np.arange(n)):
        rows["retrieval"] = np.setdiff1d(retrieval, query)
        raw.warnings.append(
            f"{given['retrieval']} names every row: the {len(query)} queries were taken out of it, "
            "so that none is ranked for itself."
        )
    raw.train, raw.query, raw.retrieval = (rows.get(side) for side in ("train", "query", "retrieval"))
    if "validation" in rows:
        count = len(rows["validation"])
        raw.notes.append(f"{given['validation']}: {count} validation rows do not train and are ranked.")


def _find_sides(raw: RawData, found: Mapping[str, Variable]) -> dict[str, str]:
    """From each side of the split to its key; a key that is the side's own name goes first."""
    given: dict[str, str] = {}
    for key in sorted(found, key=lambda key: SIDES.get(key) != key):
        side, variable = side_of(key), found[key]
        numbers = variable.dtype.kind in "biuf" and (_is_vector(variable.shape) or key == side)
        if side is None or not numbers or given.get(side) == side:
            continue
        if side in given:
            raise DataError(
                f"{raw.path} holds two arrays for the {side} rows, {given[side]} and {key}; keep one of them."
            )
        given[side] = key
    return given


def _count_from_zero(
    raw: RawData, rows: dict[str, NDArray[Any]], counted: list[str], n: int, first_row: int | None
) -> None:
    numbers = [rows[side].ravel() for side in counted if len(rows[side])]
    if not numbers:
        return
    both = np.concatenate(numbers)
    if first_row == 1 or (first_row is None and both.min() >= 1 and both.max() == n):
        for side in counted:
            rows[side] = rows[side] - 1
        raw.notes.append("split: row numbers counted from 1 were shifted to 0.")
    elif first_row is None and both.min() == 1:
        raw.warnings.append(
            "no part of the split names row 0: were its rows counted from 1? Then read it with "
            "--first-row 1 (first_row=1); here row 1 is the second row."
        )


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or (len(shape) == 2 and 1 in shape)


def _is_mask(values: NDArray[Any], n: int) -> bool:
    """Zeros and ones, one for each row: as row numbers they would repeat."""
    return len(values) == n and n > 2 and bool(((values == 0) | (values == 1)).all())


def _read_column(raw: RawData, found: Mapping[str, Variable], n: int) -> None:
    """One word for each row: train, test and so on."""
    for key, variable in found.items():
        if (
            key.rsplit("/", 1)[-1].lower() not in SPLIT_COLUMNS
            or variable.dtype.kind not in "USO"
            or not variable.shape
        ):
            continue
        words = [word.strip(" \0").lower() for word in strings(variable.read())]
        if len(words) != n or any(word and word not in SIDES for word in words):
            continue
        side = np.array([SIDES.get(word, "") for word in words])
        raw.train, raw.query = np.flatnonzero(side == "train"), np.flatnonzero(side == "query")
        raw.notes.append(f"{key}: read as the side of each row.")
        return
