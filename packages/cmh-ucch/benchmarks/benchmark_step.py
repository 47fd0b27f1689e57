"""Compare a training step with the bare networks and with the authors' loop, plainly (tests/plain_ucch.py).

    python benchmarks/benchmark_step.py [--repeats 7] [--threads 2] [--width 8192]

Prints the median milliseconds of three steps, taken in turn in one process on 4,096-d images, 1,386 words and
a memory of 18,000 rows: forward, backward and Adam of the networks alone, the plain loop, and ours. Appends a
row for each to results.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from cmh_testing import time_ways
from cmh_train import Batch, DataSpec
from cmh_ucch import UCCH, UCCHConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_ucch import BareNetworks, PlainLoop

BATCH, N_TRAIN, D_IMAGE, D_TEXT, BITS = 256, 18_000, 4096, 1386, 64
N_FEATURES = 1024  # rows whose features are kept; the memory has more


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--csv", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    image, text = torch.rand(N_FEATURES, D_IMAGE), (torch.rand(N_FEATURES, D_TEXT) < 0.01).float()
    everything = torch.ones(BATCH, dtype=torch.bool)

    bare = BareNetworks(D_IMAGE, D_TEXT, bits=BITS, width=options.width)
    plain = PlainLoop(image, text, bits=BITS, width=options.width, batch_size=BATCH)
    plain.memory = torch.randn(N_TRAIN, BITS)
    config = UCCHConfig(bits=BITS, image_widths=(options.width,) * 2, text_widths=(options.width,))
    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = UCCH(config, spec)
    method.begin_epoch(config.warmup_epochs)
    batches = iter(plain.loader)

    def bare_step() -> None:
        index = torch.randperm(N_FEATURES)[:BATCH]
        bare.step(image[index], text[index])

    def plain_step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(plain.loader)
            batch = next(batches)
        plain.step(*batch)

    def our_step() -> None:
        index = torch.randperm(N_FEATURES)[:BATCH]
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

    time_ways(
        {"bare networks": bare_step, "plain": plain_step, "ours": our_step},
        benchmark="step",
        case=f"training step, width {options.width}, batch {BATCH}",
        repeats=options.repeats,
        packages=("cmh-ucch", "cmh-train", "torch"),
        record=options.csv,
    )


if __name__ == "__main__":
    main()
