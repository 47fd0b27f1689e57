"""Which precision trains faster here: a trial of a few steps in each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import torch

from cmh_train._device import autocast_for, find_device
from cmh_train._fit import _batches, _check_sizes, _DeviceRows
from cmh_train._memory import check_memory
from cmh_train._processor import CPUINFO, processor_facts
from cmh_train._registry import build_method
from cmh_train._seeds import (
    BEGIN,
    check_seed,
    derive_seed,
    deterministic_cudnn,
    preserve_rng_state,
    seed_generators,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_train._contract import HashingMethod, MethodConfig, MethodSpec
    from cmh_train._data import TrainingData

    Tried = Literal["float32", "bf16"]

_TIMED_STEPS = 2
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}  # as Linux names them, on x86 and on ARM


@dataclass(frozen=True, kw_only=True)
class PrecisionTrial:
    """What `choose_precision` found.

    Args:
        precision: "float32" or "bf16", for `fit`.
        seconds: "float32" and "bf16" to the median time of a step, on a CPU processor time of all threads
            together, which other work on the machine disturbs less; empty where nothing was tried.
        reason: why, as a clause.
    """

    precision: Tried
    seconds: dict[str, float]
    reason: str


def choose_precision(
    method: str | MethodSpec,
    config: MethodConfig | Mapping[str, Any] | None,
    data: TrainingData,
    *,
    batch_size: int,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> PrecisionTrial:
    """Take two steps in float32 and two in bf16, in turns, after one of each that is not timed.

    A method of its own is built for it, and torch's generators stay as they were, so that a training in the
    precision that was chosen is the same to the bit as one that names it. bf16 is chosen only where its
    slower step beats the faster one of float32, and never where the processor or GPU has no bfloat16
    instructions (or does not tell: a processor is asked on Linux only) or a loss is not finite. Whoever
    continues from a checkpoint names the precision that it was made with.

    Args:
        method: a name, or a specification.
        config: its options, or a mapping of them; None: the defaults.
        data: the training rows, images `(n_train, *image_shape)` and texts `(n_train, text_width)`.
        batch_size: rows in a step, as for `fit`.
        device: "cpu", "cuda", "cuda:1".
        seed: non-negative.

    Returns:
        The precision and both medians in seconds. Methods with `full_batch` are not tried: float32.

    Raises:
        ValueError: as `build_method` and `fit`.

    Example:
        >>> from cmh_train import HashingMethod, MethodConfig, MethodSpec, TrainingData
        >>> class Bias(HashingMethod):
        ...     def __init__(self, config, data_spec):
        ...         super().__init__(config, data_spec)
        ...         self.bias = torch.nn.Parameter(torch.zeros(()))
        ...
        ...     def update(self, batch):
        ...         return {"total": (self.bias - batch.image.mean()).square().detach()}
        >>> bias = MethodSpec(
        ...     name="bias",
        ...     title="Bias",
        ...     config_type=MethodConfig,
        ...     build=Bias,
        ...     supervised=False,
        ...     presets={},
        ... )
        >>> data = TrainingData.from_arrays(image=[[1.0, 2.0]] * 4, text=[[1.0]] * 4)
        >>> choose_precision(bias, {"bits": 16}, data, batch_size=4).precision in ("float32", "bf16")
        True
    """
    target = find_device(device)
    check_seed(seed)
    tried = build_method(method, config, data.spec, seed)
    _check_sizes(tried, data, epochs=1, batch_size=batch_size)
    if tried.full_batch:
        return PrecisionTrial(
            precision="float32", seconds={}, reason="a step takes all rows, so that none is tried"
        )
    if not has_bf16(target):
        return PrecisionTrial(
            precision="float32",
            seconds={},
            reason=f"no bfloat16 instructions are known of this {target.type}",
        )
    check_memory(tried, data, target, "float32")
    tried.to(target, torch.float32)
    rows = _DeviceRows(data, target, torch.float32)
    with preserve_rng_state(target), deterministic_cudnn():
        seed_generators(target, derive_seed(seed, BEGIN))
        tried.begin_training(rows.tensors)
        tried.train()
        tried.begin_epoch(0)
        steps = _time_steps(tried, rows, batch_size, seed)
    if steps is None:
        return PrecisionTrial(precision="float32", seconds={}, reason="a loss in bf16 is not finite")
    seconds: dict[str, float] = {name: median(taken) for name, taken in steps.items()}
    of = " of processor time" if target.type == "cpu" else ""
    faster = max(steps["bf16"]) < min(steps["float32"])
    return PrecisionTrial(
        precision="bf16" if faster else "float32",
        seconds=seconds,
        reason=f"a step takes {seconds['float32']:.3g} s{of} in float32, {seconds['bf16']:.3g} s in bf16",
    )


def _time_steps(
    method: HashingMethod, rows: _DeviceRows, batch_size: int, seed: int
) -> dict[Tried, list[float]] | None:
    """Seconds of the timed steps of each precision, taken in turns; None: a loss in bf16 is not finite."""
    steps: dict[Tried, list[float]] = {"float32": [], "bf16": []}
    for _ in range(1 + _TIMED_STEPS):  # the first of each allocates and prepares
        for precision, taken in steps.items():
            batch = next(iter(_batches(method, rows, 0, batch_size, seed)))
            started = _now(rows.device)
            with autocast_for(precision, rows.device):
                losses = method.update(batch)
            taken.append(_now(rows.device) - started)
            if precision == "bf16" and not all(loss.isfinite() for loss in losses.values()):
                return None
    return {precision: taken[1:] for precision, taken in steps.items()}


def _now(device: torch.device) -> float:
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def has_bf16(device: torch.device, cpuinfo: Path = CPUINFO) -> bool:
    """Whether the device is known to have bfloat16 instructions; of processors, Linux tells."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = {flag for name in ("flags", "Features") for flag in processor_facts(name, cpuinfo)}
    return bool(flags & _BF16_FLAGS)
