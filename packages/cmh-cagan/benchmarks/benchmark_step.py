"""Compare a training step with a plain re-statement of the authors' loop, and with JDSH's step if installed.

    python benchmarks/benchmark_step.py [--rows 5000] [--batch 32] [--repeats 100] [--csv results.csv]

The plain loop (tests/plain_cagan.py) and ours take steps in turn in one process, on 512-d images and 1,386
words, and a row for each is appended to results.csv.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from cmh_cagan import METHOD
from cmh_testing import loader_steps, random_steps, time_ways
from cmh_train import DataSpec, build_method, find_method

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_cagan import PlainLoop

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE_WIDTH, TEXT_WIDTH, BITS = 512, 1386, 128


def steps_of(name: str, image: torch.Tensor, text: torch.Tensor, batch_size: int) -> Callable[[], None]:
    """One step of an installed method each time, on rows picked at random."""
    spec = DataSpec(n_train=len(image), image_shape=(IMAGE_WIDTH,), text_width=TEXT_WIDTH)
    method = build_method(find_method(name), {"bits": BITS, "batch_size": batch_size}, spec, seed=0)
    return random_steps(method, image, text, batch_size=batch_size)


def plain_steps(image: torch.Tensor, text: torch.Tensor, batch_size: int) -> Callable[[], None]:
    """One step of the plain loop each time, its samples collated one by one."""
    loop = PlainLoop(image, text, bits=BITS, batch_size=batch_size)
    return loader_steps(loop.loader, lambda batch: loop.step(batch[0], batch[1], 1.0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image = torch.rand(options.rows, IMAGE_WIDTH)
    text = (torch.rand(options.rows, TEXT_WIDTH) < 0.01).float()
    ways = {
        "plain": plain_steps(image, text, options.batch),
        "cagan": steps_of(METHOD.name, image, text, options.batch),
    }
    if "jdsh" in entry_points(group="cmh.methods").names:
        ways["jdsh"] = steps_of("jdsh", image, text, options.batch)
    time_ways(
        ways,
        benchmark="step",
        case=f"training step, batch {options.batch}",
        repeats=options.repeats,
        packages=("cmh-cagan", "cmh-jdsh", "cmh-train", "torch"),
        record=options.csv,
    )


if __name__ == "__main__":
    main()
