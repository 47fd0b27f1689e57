"""Say early that memory will not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cmh_train._data import is_copied, tensor_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cmh_train._contract import HashingMethod
    from cmh_train._data import TrainingData
    from cmh_train._device import Precision

_GIGABYTE = 1e9


def check_memory(
    method: HashingMethod, data: TrainingData, device: torch.device, precision: Precision
) -> None:
    """Compare what training needs on `device` with what is free there.

    See `needed_memory` for what is counted. Where the free memory is unknown, nothing is checked.

    Raises:
        ValueError: if it does not fit.
    """
    free = free_memory(device)
    needed = needed_memory(method, data, device, precision)
    if free is not None and needed > free:
        raise ValueError(
            f"training needs about {needed / _GIGABYTE:.1f} GB more on {device}, "
            f"but only {free / _GIGABYTE:.1f} GB are free; use fewer rows, narrower layers or another device"
        )


def needed_memory(
    method: HashingMethod, data: TrainingData, device: torch.device, precision: Precision
) -> int:
    """Bytes that training takes on `device` beyond what is taken there already.

    Counted are weights and buffers as far as they are not there yet, gradients, what the optimisers will
    keep, and the rows as far as they are copied. Activations come on top: they depend on the method and the
    batch, so a training that passes may still be too large.
    """
    entry = 8 if precision == "float64" else 4
    place = torch.empty(0, device=device).device  # "cuda" means the current one

    def growth(tensors: Iterable[torch.Tensor]) -> int:
        new = there = 0
        for tensor in tensors:
            new += tensor.numel() * (entry if tensor.is_floating_point() else tensor.element_size())
            there += tensor.nbytes if tensor.device == place else 0
        return new - there

    total = growth(method.parameters()) + growth(method.buffers())
    for optimiser in method.optimisers().values():
        total += _gradient_entries(optimiser) * entry
        for group in optimiser.param_groups:
            for parameter in (p for p in group["params"] if p.requires_grad):
                state = optimiser.state.get(parameter, {}).values()
                if kept := [value for value in state if isinstance(value, torch.Tensor) and value.ndim]:
                    total += growth(kept)
                else:
                    total += _moments(optimiser, group) * parameter.numel() * entry
        # An optimiser of layers that keep copies of their weights in bfloat16 says so.
        if precision == "bf16" and getattr(optimiser, "keeps_rounded_weights", False):
            total += 2 * sum(_sizes(optimiser))
    for array in (data.image, data.text, data.image_present, data.text_present):
        if device.type != "cpu" or is_copied(array):
            total += array.size * tensor_dtype(array).itemsize
    return total + (0 if data.label is None else data.label.size * entry)


def _gradient_entries(optimiser: torch.optim.Optimizer) -> int:
    sizes = _sizes(optimiser)
    # An optimiser that forms one gradient after the other in the same memory says so.
    one_at_a_time = getattr(optimiser, "one_gradient_at_a_time", False)
    return max(sizes, default=0) if one_at_a_time else sum(sizes)


def _sizes(optimiser: torch.optim.Optimizer) -> list[int]:
    return [p.numel() for group in optimiser.param_groups for p in group["params"] if p.requires_grad]


def _moments(optimiser: torch.optim.Optimizer, group: dict[str, Any]) -> int:
    """How many numbers an optimiser keeps for each weight."""
    if isinstance(optimiser, torch.optim.SGD):
        return 1 if group["momentum"] else 0
    return 3 if group.get("amsgrad") else 2  # Adam, Adamax and most others


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a CUDA device or, on Linux, in main memory; None where it cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    known = [free for free in (_free_in_machine(), _free_in_group()) if free is not None]
    return min(known, default=None)


def _free_in_machine(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(available[0]) * 1024 if available else None


def _free_in_group(
    membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """The least that the control groups of this process leave it (containers, batch systems), if they say."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    own = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]  # version 2
    if not own:
        return None
    folders = [root / own[0], *(root / own[0]).parents]
    free = []
    for folder in folders[: folders.index(root) + 1]:
        try:
            limit = (folder / "memory.max").read_text(encoding="ascii").strip()
            used = int((folder / "memory.current").read_text(encoding="ascii"))
            statistics = (folder / "memory.stat").read_text(encoding="ascii").split()
        except OSError:
            continue
        if limit != "max":
            cached = dict(zip(statistics[::2], statistics[1::2], strict=True)).get("inactive_file", "0")
            free.append(int(limit) - used + int(cached))  # the cache of files is given up when needed
    return min(free, default=None)
