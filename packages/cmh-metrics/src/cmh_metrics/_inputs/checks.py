"""Checks at the public boundary: one clear sentence per bad input."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def is_torch(values: Any) -> bool:
    """Whether `values` is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def as_matrix(values: Any, name: str) -> Any:
    """Return `values` as something with `shape` `(rows, columns)` and row slices, without reading it.

    Arrays, memory maps, HDF5 data sets and torch tensors are returned as they are; lists become arrays.
    """
    if not hasattr(values, "shape") or not hasattr(values, "__getitem__"):
        try:
            values = np.asarray(values)
        except ValueError as error:
            raise ValueError(f"{name} must be a matrix with rows of equal length; {error}") from None
    shape = tuple(values.shape)
    if len(shape) != 2:
        raise ValueError(
            f"{name} must have two dimensions (rows, columns), but its shape is {shape}; "
            "reshape it so that every row is one item"
        )
    if shape[0] == 0:
        raise ValueError(f"{name} must have at least one row, but its shape is {shape}")
    if shape[1] == 0:
        raise ValueError(f"{name} must have at least one column, but its shape is {shape}")
    return values


def as_numpy(block: Any, name: str) -> np.ndarray[Any, Any]:
    """Read one block of rows into a numpy array of booleans, integers or real numbers."""
    if is_torch(block):
        try:
            block = block.numpy(force=True)
        except TypeError:  # numpy has no bfloat16
            block = block.float().numpy(force=True)
    array = np.asarray(block)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold booleans, integers or real numbers, but its dtype is {array.dtype}"
        )
    return array


def positive_integer(value: Any, name: str) -> int:
    """Return `value` as an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, but it is {value!r}")
    return int(value)


def non_negative_integer(value: Any, name: str) -> int:
    """Return `value` as an int of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{name} must be an integer of at least 0, but it is {value!r}")
    return int(value)


def one_of(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, but it is {value!r}")
    return str(value)


def cut_offs(ks: Any) -> list[int]:
    """Return the cut-offs as integers of at least 1."""
    cuts = [positive_integer(k, "ks") for k in np.atleast_1d(np.asarray(ks)).tolist()]
    if not cuts:
        raise ValueError("ks must hold at least one cut-off, but it is empty")
    return cuts
