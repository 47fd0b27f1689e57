"""Say early that memory will not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from cmh_train._contract import HashingMethod
    from cmh_train._data import TrainingData
    from cmh_train._device import Precision

_COPIES = 4  # weights, gradients and the two moments of Adam
_GIGABYTE = 1e9


def check_memory(
    method: HashingMethod, data: TrainingData, device: torch.device, precision: Precision
) -> None:
    """Compare the least that training needs on `device` with what is free there.

    Counted are the rows, the method's buffers, and weights, gradients and two optimiser moments; activations
    come on top, so passing is no promise. Where the free memory is unknown, nothing is checked.

    Raises:
        ValueError: if even that does not fit.
    """
    free = free_memory(device)
    entry = 8 if precision == "float64" else 4
    weights = sum(parameter.numel() for parameter in method.parameters()) * entry * _COPIES
    buffers = sum(buffer.numel() for buffer in method.buffers()) * entry
    # On the CPU the rows are used where they lie.
    rows = 0 if device.type == "cpu" else data.image.nbytes + data.text.nbytes
    needed = weights + buffers + rows
    if free is not None and needed > free:
        raise ValueError(
            f"training needs at least {needed / _GIGABYTE:.1f} GB on {device}, "
            f"but only {free / _GIGABYTE:.1f} GB are free; use fewer rows, narrower layers or another device"
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a CUDA device or, on Linux, in main memory; None where it cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(available[0]) * 1024 if available else None
