"""Codes of a whole data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from cmh_train._contract import Modality, check_shape
from cmh_train._data import to_tensor
from cmh_train._device import Precision, autocast_for, check_precision
from cmh_train._seeds import deterministic_cudnn

if TYPE_CHECKING:
    from cmh_train._contract import HashingMethod

_ROWS = 2048
_ENTRIES = _ROWS * 4096  # 34 MB of float32 at a time; what the layers make of them comes on top


def encode_dataset(
    method: HashingMethod,
    modality: Modality,
    features: npt.ArrayLike,
    *,
    batch_size: int | None = None,
    precision: Precision = "float32",
) -> npt.NDArray[np.float32]:
    """Encode rows with a method, in evaluation mode, on the device that holds its weights.

    Args:
        method: a method, trained or not. Its mode is restored afterwards.
        modality: "image" or "text".
        features: `(n, *image_shape)` or `(n, text_width)` raw features, any real dtype; a
            memory-mapped array stays on disk.
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
    parameter = next(method.parameters())
    codes = torch.empty(len(features), method.bits, device=parameter.device)
    was_training = method.training
    method.eval()
    try:
        with torch.no_grad(), autocast_for(precision, parameter.device), deterministic_cudnn():
            for start in range(0, len(features), rows):
                chunk = to_tensor(features[start : start + rows])
                values = chunk.to(parameter.device).to(parameter.dtype)
                real_codes = method.encode(modality, values)
                _check_codes(method, modality, real_codes, rows=len(chunk))
                codes[start : start + rows] = real_codes
    finally:
        method.train(was_training)
    result: npt.NDArray[np.float32] = codes.cpu().numpy()
    return result


def _check_codes(method: HashingMethod, modality: Modality, codes: object, *, rows: int) -> None:
    expected = (rows, method.bits)
    found = tuple(codes.shape) if isinstance(codes, torch.Tensor) else type(codes).__name__
    if found != expected:
        raise ValueError(
            f"{type(method).__name__}.encode({modality!r}, ...) must return a tensor of shape (n, bits) = "
            f"{expected}, but it returned {found}; correct the method"
        )
