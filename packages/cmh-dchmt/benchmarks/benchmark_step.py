"""Compare a training step with the authors' loop, written plainly (tests/plain_dchmt.py).

    python benchmarks/benchmark_step.py [--repeats 50] [--threads 2] [--device cuda]

Prints the median milliseconds of both, taken in turn in one process, and appends a row for each to
results.csv. On a GPU every step ends with waiting for it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from cmh_dchmt import DCHMT, DCHMTConfig
from cmh_testing import random_steps, time_ways
from cmh_train import DataSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_dchmt import PlainLoop

BATCH, BITS, WIDTH, N_LABEL, N_TRAIN = 256, 64, 512, 24, 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--csv", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    device = options.device
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image, text = (torch.randn(N_TRAIN, WIDTH, device=device) for _ in range(2))
    label = (torch.rand(N_TRAIN, N_LABEL, device=device) < 0.15).float()
    spec = DataSpec(n_train=N_TRAIN, image_shape=(WIDTH,), text_width=WIDTH, n_label=N_LABEL)
    method = DCHMT(DCHMTConfig(bits=BITS), spec).to(device)
    with torch.device(device):
        plain = PlainLoop(WIDTH, WIDTH, bits=BITS)

    def plain_step() -> None:
        index = torch.randperm(N_TRAIN, device=device)[:BATCH]
        plain.step(image[index], text[index], label[index])

    time_ways(
        {"plain": plain_step, "ours": random_steps(method, image, text, label, batch_size=BATCH)},
        benchmark="step",
        case=f"training step, batch {BATCH}",
        repeats=options.repeats,
        device=device,
        packages=("cmh-dchmt", "cmh-train", "torch"),
        record=options.csv,
    )


if __name__ == "__main__":
    main()
