"""Random numbers that depend on nothing but a seed and a place in the run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

# Streams of one seed: they must differ, so that the order of rows says nothing about the numbers a method
# draws.
BUILD, STEPS, ORDER, BEGIN, COMPLETION, SAMPLES, VIEWS = range(7)


def derive_seed(seed: int, stream: int, position: int = 0) -> int:
    """Mix a seed, a stream and a position (an epoch) into one 63-bit seed."""
    words = np.random.SeedSequence([seed, stream, position]).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def check_seed(seed: int) -> None:
    """Refuse what cannot seed a run.

    Raises:
        ValueError: if `seed` is negative or a bool.
    """
    if isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, but it is {seed!r}")


@contextmanager
def preserve_rng_state(device: torch.device) -> Iterator[None]:
    """Restore torch's default generators of CPU and `device` after the block."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed torch's default generators of CPU and `device`; `torch.manual_seed` seeds every device's."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def deterministic_cudnn() -> Iterator[None]:
    """Let cuDNN choose algorithms that give the same sum every time, by rule and not by a race of timings."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
