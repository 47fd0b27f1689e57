"""Compare a training step with the bare networks and with the authors' loop, plainly (tests/plain_ucch.py).

    python benchmarks/benchmark_step.py [--repeats 7] [--threads 2] [--width 8192] [--csv results.csv]

Prints the median milliseconds of three steps, taken in turn in one process on 4,096-d images, 1,386 words and
a memory of 18,000 rows: forward, backward and Adam of the networks alone, the plain loop, and ours; and how
many times as long as the networks alone ours takes. Appends a row for each to results.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_testing import benchmark_parser, loader_steps, random_steps, time_ways, timing_options
from cmh_train import DataSpec
from cmh_ucch import UCCH, UCCHConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_ucch import BareNetworks, PlainLoop

BATCH, N_TRAIN, D_IMAGE, D_TEXT, BITS = 256, 18_000, 4096, 1386, 64
N_FEATURES = 1024  # rows whose features are kept; the memory has more


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=7)
    parser.add_argument("--width", type=int, default=8192)
    options = parser.parse_args()
    timing, device = timing_options(options, "cmh-ucch"), options.device
    image, text = torch.rand(N_FEATURES, D_IMAGE), (torch.rand(N_FEATURES, D_TEXT) < 0.01).float()
    image, text = image.to(device), text.to(device)
    with torch.device(device):
        bare = BareNetworks(D_IMAGE, D_TEXT, bits=BITS, width=options.width)
        plain = PlainLoop(image, text, bits=BITS, width=options.width, batch_size=BATCH)
        plain.memory = torch.randn(N_TRAIN, BITS)
    config = UCCHConfig(bits=BITS, image_widths=(options.width,) * 2, text_widths=(options.width,))
    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = UCCH(config, spec).to(device)
    ours = random_steps(method, image, text, batch_size=BATCH)
    method.begin_epoch(config.warmup_epochs)  # keys of the memory

    def bare_step() -> None:
        index = torch.randperm(N_FEATURES, device=device)[:BATCH]
        bare.step(image[index], text[index])

    ratios = time_ways(
        {
            "bare networks": bare_step,
            "plain": loader_steps(plain.loader, lambda batch: plain.step(*batch)),
            "ours": ours,
        },
        benchmark="step",
        case=f"training step, width {options.width}, batch {BATCH}",
        **timing,
    )
    print(f"ours takes {1 / ratios['ours']:.2f} times as long as the bare networks")


if __name__ == "__main__":
    main()
