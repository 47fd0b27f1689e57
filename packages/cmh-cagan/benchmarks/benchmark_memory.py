"""The peak of memory that a process takes for training steps of CAGAN, and what of it was there before.

    python benchmarks/benchmark_memory.py [--batch 1024] [--rows 5000] [--steps 4] [--csv results.csv]

512-d images and 1,386 words, the program's widths. With MALLOC_MMAP_THRESHOLD_=65536 in the environment glibc
keeps no freed memory for later, so that the difference is what it keeps.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import torch
from cmh_cagan import METHOD
from cmh_testing import random_steps, time_ways
from cmh_train import DataSpec, build_method


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="times of the steps are added to it")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(f"peak {peak()} MiB after importing torch {torch.__version__}")
    image, text = torch.rand(chosen.rows, 512), (torch.rand(chosen.rows, 1386) < 0.01).float()
    print(f"peak {peak()} MiB with {chosen.rows} rows of data")
    spec = DataSpec(n_train=chosen.rows, image_shape=(512,), text_width=1386)
    method = build_method(METHOD, {"batch_size": chosen.batch}, spec, seed=0)
    weights = sum(weight.nbytes for weight in method.parameters()) >> 20
    print(f"peak {peak()} MiB with the networks, whose weights take {weights}, and torch's optimisers")
    time_ways(
        {"cagan": random_steps(method, image, text, batch_size=chosen.batch)},
        benchmark="memory",
        case=f"training step, batch {chosen.batch}",
        repeats=chosen.steps,
        packages=("cmh-cagan", "cmh-train", "torch"),
        record=chosen.csv,
    )
    print(f"peak {peak()} MiB after {chosen.steps + 1} steps")


if __name__ == "__main__":
    main()
