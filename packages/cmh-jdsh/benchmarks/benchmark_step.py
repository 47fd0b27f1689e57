"""Compare a training step with the authors' loop, written plainly (tests/plain_loop.py).

    python benchmarks/benchmark_step.py [--repeats 15] [--threads 2] [--device cuda]

Prints the median milliseconds of both, taken in turn in one process, and appends a row for each to
results.csv. On a GPU every step ends with waiting for it; the plain loop's samples stay in main memory, as
the original's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from cmh_jdsh import JDSH, JDSHConfig
from cmh_testing import loader_steps, random_steps, time_ways
from cmh_train import DataSpec
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_loop import BITS, D_IMAGE, D_TEXT, PlainLoop, Samples

BATCH, N_TRAIN = 128, 512


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--csv", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    device = options.device
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image, text = torch.rand(N_TRAIN, D_IMAGE), (torch.rand(N_TRAIN, D_TEXT) < 0.01).float()

    plain = PlainLoop(device)
    loader = DataLoader(Samples(image, text), batch_size=BATCH, shuffle=True, drop_last=True)

    def plain_step(batch: list[torch.Tensor]) -> None:
        plain.step(batch[0].to(device), batch[1].to(device))

    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = JDSH(JDSHConfig(bits=BITS), spec).to(device)
    image, text = image.to(device), text.to(device)

    time_ways(
        {
            "plain": loader_steps(loader, plain_step),
            "ours": random_steps(method, image, text, batch_size=BATCH),
        },
        benchmark="step",
        case=f"training step, batch {BATCH}",
        repeats=options.repeats,
        device=device,
        packages=("cmh-jdsh", "cmh-train", "torch"),
        record=options.csv,
    )


if __name__ == "__main__":
    main()
