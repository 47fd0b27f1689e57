"""Compare a training step with a plain re-statement of the authors' loop, and with JDSH's step if installed.

    python benchmarks/benchmark_step.py [--rows 5000] [--batch 32] [--repeat 100] [--csv steps.csv]

The plain loop (tests/plain_cagan.py) and ours take steps in turn in one process, on 512-d images and 1,386
words. A line of the CSV is one kind of step: milliseconds at the 20th, 50th and 80th percentile, processor,
versions.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_cagan import METHOD
from cmh_train import Batch, DataSpec, build_method, find_method

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_cagan import PlainLoop

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE_WIDTH, TEXT_WIDTH, BITS = 512, 1386, 128


def steps_of(name: str, image: torch.Tensor, text: torch.Tensor, batch_size: int) -> Callable[[], None]:
    """One step of an installed method each time, on rows picked at random."""
    spec = DataSpec(n_train=len(image), image_shape=(IMAGE_WIDTH,), text_width=TEXT_WIDTH)
    method = build_method(find_method(name), {"bits": BITS, "batch_size": batch_size}, spec, seed=0)
    method.begin_epoch(0)
    everything = torch.ones(batch_size, dtype=torch.bool)

    def step() -> None:
        index = torch.randint(len(image), (batch_size,))
        method.update(
            Batch(
                image=image[index],
                text=text[index],
                label=None,
                index=index,
                image_present=everything,
                text_present=everything,
            )
        )

    return step


def plain_steps(image: torch.Tensor, text: torch.Tensor, batch_size: int) -> Callable[[], None]:
    """One step of the plain loop each time, its samples collated one by one."""
    loop = PlainLoop(image, text, bits=BITS, batch_size=batch_size)
    batches = iter(loop.loader)

    def step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loop.loader)
            batch = next(batches)
        loop.step(batch[0], batch[1], 1.0)

    return step


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image = torch.rand(options.rows, IMAGE_WIDTH)
    text = (torch.rand(options.rows, TEXT_WIDTH) < 0.01).float()
    kinds = {
        "plain": plain_steps(image, text, options.batch),
        "cagan": steps_of(METHOD.name, image, text, options.batch),
    }
    if "jdsh" in entry_points(group="cmh.methods").names:
        kinds["jdsh"] = steps_of("jdsh", image, text, options.batch)
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(options.repeat + 3):
        for kind, step in kinds.items():
            started = time.perf_counter()
            step()
            if number >= 3:  # the first ones warm up
                times[kind].append(1000 * (time.perf_counter() - started))
    rows = []
    for kind, values in times.items():
        low, middle, high = np.percentile(values, [20, 50, 80]).round(2)
        rows.append(
            {
                "kind": kind,
                "rows": options.rows,
                "batch": options.batch,
                "bits": BITS,
                "p20_ms": low,
                "p50_ms": middle,
                "p80_ms": high,
                "epoch_s": round(middle * (options.rows // options.batch) / 1000, 2),
                "processor": processor(),
                "threads": options.threads,
                "torch": torch.__version__,
                "python": platform.python_version(),
            }
        )
        print(f"{kind}: {middle:.1f} ms a step ({low:.1f}..{high:.1f}), {rows[-1]['epoch_s']} s an epoch")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
