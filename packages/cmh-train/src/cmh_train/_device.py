"""Where and in which precision a method runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

#: "float32"; "bf16": float32 weights, matrix products in bfloat16; "float64".
Precision = Literal["float32", "bf16", "float64"]


def find_device(name: str | torch.device) -> torch.device:
    """Turn a device name into a device that is there.

    Raises:
        ValueError: if the name is unknown to torch or no such device is available.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device must be a torch device such as 'cpu' or 'cuda', not {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {name!r}, but torch finds no CUDA device here; use device='cpu'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device is {name!r}, but torch finds only {torch.cuda.device_count()} CUDA device(s)"
        )
    return device


def check_precision(precision: str) -> None:
    """Refuse an unknown precision.

    Raises:
        ValueError: naming the known ones.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, not {precision!r}")


def weight_dtype(precision: Precision) -> torch.dtype:
    """Give the type of the weights: bf16 keeps them in float32 and multiplies matrices in bfloat16."""
    return torch.float64 if precision == "float64" else torch.float32


def autocast_for(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context of autocast for "bf16": matrix products in bfloat16. Otherwise it changes nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def full_precision(like: torch.Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast, for what is small or sensitive: norms, distances, discriminators.

    Inside, operations keep the type of their inputs, so give them `at_least_float32`.

    Args:
        like: `(...)` of any dtype; autocast is switched off on its device.

    Returns:
        A context manager.

    Example:
        >>> with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(torch.ones(1)):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    return torch.autocast(like.device.type, enabled=False)


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Return bfloat16 and float16 values as float32, others as they are.

    Args:
        values: `(...)` floating point.

    Returns:
        `(...)` float32 or float64.

    Example:
        >>> at_least_float32(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
