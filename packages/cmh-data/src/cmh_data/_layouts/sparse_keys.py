"""Sparse tables as SciPy's `save_npz` writes them: `data, indices, indptr, shape, format`, or `row, col`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import Variable, check_declared_size, strings

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_PARTS = ("data", "indices", "indptr", "row", "col", "shape", "format")


def join_sparse(found: Mapping[str, Variable], notes: list[str]) -> dict[str, Variable]:
    """Replace the parts of each sparse table by one variable.

    Args:
        found: the variables of a file by key.
        notes: what was filled in is added here.

    Returns:
        The variables; a table whose parts have no prefix such as `text_` stands for the text, or, where that
        is there, for the image or the labels.

    Raises:
        DataError: a format that is not read, or parts that do not fit each other.
    """
    joined = dict(found)
    for key in found:
        if not key.endswith("shape"):
            continue
        prefix = key[: -len("shape")]
        parts = {part: found[prefix + part] for part in _PARTS if prefix + part in found}
        if not ({"indices", "indptr"} <= set(parts) or {"row", "col"} <= set(parts)):
            continue
        for part in parts:
            del joined[prefix + part]
        name = prefix.rstrip("_/.- ") or next(
            (role for role in ("text", "image", "labels") if role not in found), "text"
        )
        table = _fill(f"{parts['shape'].file}: {name}", parts)
        joined[name] = replace(
            parts["shape"], key=name, shape=table.shape, dtype=table.dtype, read=partial(np.asarray, table)
        )
        listed = ", ".join(prefix + part for part in parts)
        ones = "" if "data" in parts else " of ones"
        notes.append(f"{listed}: a sparse table{ones} was filled in as {name}.")
    return joined


def _fill(name: str, parts: Mapping[str, Variable]) -> NDArray[Any]:
    read = {part: np.asarray(variable.read()).ravel() for part, variable in parts.items() if part != "format"}
    shape = read["shape"]
    if len(shape) != 2:
        raise DataError(f"{name}: shape must hold two numbers, but it holds {len(shape)}.")
    height, width = int(shape[0]), int(shape[1])
    stated = strings(parts["format"].read())[0].lower() if "format" in parts else ""
    rows, columns = _places(name, read, (height, width), stated)
    values = read.get("data", np.ones(len(rows), np.uint8))
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    fits = len(rows) == len(columns) == len(values) and min(height, width) >= 0
    inside = not len(rows) or (
        0 <= int(rows.min()) <= int(rows.max()) < height
        and 0 <= int(columns.min()) <= int(columns.max()) < width
    )
    if not fits or not inside or values.dtype.kind not in "uif":
        raise DataError(f"{name}: the parts of the sparse table do not fit its shape {height} x {width}.")
    stored = sum(array.nbytes for array in read.values())
    check_declared_size(name, "a sparse table", height * width * values.dtype.itemsize, stored)
    dense = np.zeros((height, width), values.dtype.newbyteorder("="))
    np.add.at(dense, (rows, columns), values)
    return dense


def _places(
    name: str, read: Mapping[str, NDArray[Any]], shape: tuple[int, int], stated: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and the column of each value."""
    if stated not in {"", "csr", "csc", "coo"}:
        raise DataError(f"{name} is a sparse table of the format {stated!r}; save it as csr, csc or coo.")
    if "row" in read and stated in {"", "coo"}:
        return read["row"].astype(np.int64), read["col"].astype(np.int64)
    if "indptr" not in read:
        raise DataError(f"{name}: a sparse table of the format {stated} needs indptr and indices.")
    ends, inside = read["indptr"].astype(np.int64), read["indices"].astype(np.int64)
    by_column = stated == "csc" or (not stated and len(ends) == shape[1] + 1 != shape[0] + 1)
    lines = shape[1] if by_column else shape[0]
    counts = np.diff(ends)
    if len(ends) != lines + 1 or ends[0] != 0 or (counts < 0).any() or ends[-1] != len(inside):
        raise DataError(
            f"{name}: the parts of the sparse table do not fit its shape {shape[0]} x {shape[1]}."
        )
    line = np.repeat(np.arange(lines), counts)
    return (inside, line) if by_column else (line, inside)
