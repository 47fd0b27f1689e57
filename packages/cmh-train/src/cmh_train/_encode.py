"""Codes of a whole data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch

from cmh_train._contract import Modality, Role, check_shape
from cmh_train._data import to_tensor
from cmh_train._device import Precision, autocast_for, check_precision
from cmh_train._seeds import deterministic_cudnn

if TYPE_CHECKING:
    from cmh_train._contract import HashingMethod


class RowReader(Protocol):
    """Rows of features, in memory or on disk."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Read rows by an index array."""


_ROWS = 2048
_ENTRIES = _ROWS * 4096  # 34 MB of float32 at a time; what the layers make of them comes on top


def encode_dataset(
    method: HashingMethod,
    modality: Modality,
    features: npt.ArrayLike,
    *,
    role: Role = "query",
    batch_size: int | None = None,
    precision: Precision = "float32",
) -> npt.NDArray[np.float32]:
    """Encode rows with a method, in evaluation mode, on the device that holds its weights.

    Args:
        method: a method, trained or not. Its mode is restored afterwards.
        modality: "image" or "text".
        features: `(n, *image_shape)` or `(n, text_width)` raw features, any real dtype; a
            memory-mapped array stays on disk.
        role: "query" or "database"; they differ only for a method without one code space (`one_space`), where
            image queries have codes like the texts of the database, and text queries like its images.
        batch_size: rows at a time; None: 2,048, fewer where a row has more than 4,096 entries, such as
            pixels. Ignored by a method whose codes depend on it (`encode_batch_size`).
        precision: "bf16" multiplies matrices in bfloat16; otherwise the type of the weights counts.

    Returns:
        `(n, bits)` float32, real-valued; a bit is 1 where the value is `>= 0`.

    Raises:
        ValueError: for an unknown modality, features of another width than the method was built for, or a
            method whose `encode` gives another shape than it must.

    Example:
        >>> from cmh_train import DataSpec, HashingMethod, MethodConfig
        >>> class FirstColumns(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.shift = torch.nn.Parameter(torch.zeros(self.bits))
        ...
        ...     def encode(self, modality, features):
        ...         return features[:, : self.bits] + self.shift
        >>> spec = DataSpec(n_train=2, image_shape=(9,), text_width=9)
        >>> encode_dataset(FirstColumns(MethodConfig(bits=8), spec), "text", np.ones((3, 9))).shape
        (3, 8)
    """
    features = np.asanyarray(features)
    check_precision(precision)
    check_shape(method.data_spec, modality, features.shape)
    if batch_size is None:
        batch_size = min(_ROWS, max(1, _ENTRIES // max(1, math.prod(features.shape[1:]))))
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but it is {batch_size}")
    rows = method.encode_batch_size or batch_size
    method.prepare_encoding()
    parameter = next(method.parameters())
    bits = _code_length(method, modality, role)
    codes = torch.empty(len(features), bits, device=parameter.device)
    encode = method.encode if role == "query" else method.encode_database
    was_training = method.training
    method.eval()
    try:
        with torch.no_grad(), autocast_for(precision, parameter.device), deterministic_cudnn():
            for start in range(0, len(features), rows):
                chunk = to_tensor(features[start : start + rows])
                values = chunk.to(parameter.device).to(parameter.dtype)
                real_codes = encode(modality, values)
                _check_codes(method, modality, real_codes, expected=(len(chunk), bits))
                codes[start : start + rows] = real_codes
    finally:
        method.train(was_training)
    result: npt.NDArray[np.float32] = codes.cpu().numpy()
    return result


def encode_rows(
    method: HashingMethod,
    modality: Modality,
    features: RowReader,
    rows: npt.NDArray[np.integer[Any]],
    *,
    role: Role = "query",
    present: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """Encode some rows of a data set, read a block at a time: all its pixels need not fit in memory.

    Args:
        method: a method, trained or not.
        modality: "image" or "text".
        features: `(n, *image_shape)` or `(n, text_width)` features of any real dtype, an array or anything
            that reads rows by an index array.
        rows: `(n_row,)` integer, which rows to encode, in this order.
        role: as for `encode_dataset`.
        present: `(n,)` bool, rows of `features` that hold an item; None: all. Whatever stands in the others
            is not read; they are encoded as zeros.

    Returns:
        `(n_row, bits)` float32, as `encode_dataset` gives them.

    Raises:
        ValueError: as in `encode_dataset`.

    Example:
        >>> from cmh_train import DataSpec, HashingMethod, MethodConfig
        >>> class FirstColumns(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.shift = torch.nn.Parameter(torch.zeros(self.bits))
        ...
        ...     def encode(self, modality, features):
        ...         return features[:, : self.bits] + self.shift
        >>> spec = DataSpec(n_train=2, image_shape=(9,), text_width=9)
        >>> method = FirstColumns(MethodConfig(bits=8), spec)
        >>> rows, present = np.array([3, 0]), np.arange(9) > 0
        >>> encode_rows(method, "text", np.eye(9), rows, present=present).max(axis=1).tolist()
        [1.0, 0.0]
    """
    outputs = [np.empty((0, _code_length(method, modality, role)), np.float32)]
    step = block_rows(method)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        values = np.asarray(features[part])
        if present is not None and not present[part].all():
            values = np.where(present[part].reshape(-1, *[1] * (values.ndim - 1)), values, 0)
        outputs.append(encode_dataset(method, modality, values, role=role))
    return np.concatenate(outputs)


def block_rows(method: HashingMethod) -> int:
    """Return how many rows to read at a time: whole batches of a method whose codes depend on their cuts.

    Args:
        method: a method.

    Returns:
        A multiple of its `encode_batch_size`, where it has one.

    Example:
        >>> from cmh_train import HashingMethod
        >>> block_rows(HashingMethod())
        4096
    """
    return 32 * (method.encode_batch_size or 128)


def _code_length(method: HashingMethod, modality: Modality, role: Role) -> int:
    """Bits of the codes: those of the modality that is ranked, which a query's are compared with."""
    if role not in get_args(Role):
        raise ValueError(f"role must be 'query' or 'database', but it is {role!r}")
    other: Modality = "text" if modality == "image" else "image"
    return method.code_length(other if role == "query" else modality)


def _check_codes(
    method: HashingMethod, modality: Modality, codes: object, *, expected: tuple[int, int]
) -> None:
    found = tuple(codes.shape) if isinstance(codes, torch.Tensor) else type(codes).__name__
    if found != expected:
        raise ValueError(
            f"{type(method).__name__}.encode({modality!r}, ...) must return a tensor of shape (n, bits) = "
            f"{expected}, but it returned {found}; correct the method"
        )
