"""Codes of a whole data set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import numpy as np
import numpy.typing as npt
import torch

from cmh_train._contract import Modality
from cmh_train._data import to_tensor
from cmh_train._device import Precision, check_precision, multiply_in
from cmh_train._seeds import repeatable_convolutions

if TYPE_CHECKING:
    from cmh_train._contract import DataSpec, HashingMethod

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
        features: `(n, *image_shape)` or `(n, text_width)` raw features; a memory-mapped array stays on disk.
        batch_size: rows at a time; None: 2,048, fewer where a row has more than 4,096 entries, such as
            pixels. Ignored by a method whose codes depend on it (`encode_batch_size`).
        precision: "bf16" multiplies matrices in bfloat16; otherwise the type of the weights counts.

    Returns:
        `(n, bits)` float32, real-valued; a bit is 1 where the value is `>= 0`.

    Raises:
        ValueError: for an unknown modality or features of another width than the method was built for.
    """
    features = np.asanyarray(features)
    check_precision(precision)
    _check_features(modality, features, method.data_spec)
    if batch_size is None:
        batch_size = min(_ROWS, max(1, _ENTRIES // max(1, math.prod(features.shape[1:]))))
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    rows = method.encode_batch_size or batch_size
    parameter = next(method.parameters())
    codes = torch.empty(len(features), method.bits, device=parameter.device)
    was_training = method.training
    method.eval()
    try:
        with torch.no_grad(), multiply_in(precision, parameter.device), repeatable_convolutions():
            for start in range(0, len(features), rows):
                chunk = to_tensor(features[start : start + rows])
                values = chunk.to(parameter.device).to(parameter.dtype)
                codes[start : start + rows] = method.encode(modality, values)
    finally:
        method.train(was_training)
    result: npt.NDArray[np.float32] = codes.cpu().numpy()
    return result


def _check_features(modality: str, features: npt.NDArray[np.generic], spec: DataSpec | None) -> None:
    if modality not in get_args(Modality):
        raise ValueError(f"modality must be 'image' or 'text', not {modality!r}")
    if spec is None:
        return
    expected = spec.image_shape if modality == "image" else (spec.text_width,)
    if features.shape[1:] != expected:
        raise ValueError(
            f"the method was built for {modality} inputs of shape {expected}, "
            f"but these have {features.shape[1:]}; give features as it was trained with or build it with the "
            "spec of this data"
        )
