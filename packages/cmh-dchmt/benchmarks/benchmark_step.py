"""Compare a training step with the authors' loop, written plainly (tests/plain_dchmt.py).

    python benchmarks/benchmark_step.py [--repeats 50] [--threads 2] [--device cuda] [--csv results.csv]

Prints the median milliseconds of both, taken in turn in one process, and appends a row for each to
results.csv. On a GPU every step ends with waiting for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_dchmt import DCHMT, DCHMTConfig
from cmh_testing import benchmark_parser, random_steps, time_ways, timing_options
from cmh_train import DataSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_dchmt import PlainLoop

BATCH, BITS, WIDTH, N_LABEL, N_TRAIN = 256, 64, 512, 24, 1024


def main() -> None:
    options = benchmark_parser(__doc__, __file__, repeats=50).parse_args()
    timing, device = timing_options(options, "cmh-dchmt"), options.device
    image, text = (torch.randn(N_TRAIN, WIDTH, device=device) for _ in range(2))
    label = (torch.rand(N_TRAIN, N_LABEL, device=device) < 0.15).float()
    spec = DataSpec(n_train=N_TRAIN, image_shape=(WIDTH,), text_width=WIDTH, n_label=N_LABEL)
    method = DCHMT(DCHMTConfig(bits=BITS), spec).to(device)
    with torch.device(device):
        plain = PlainLoop(WIDTH, WIDTH, bits=BITS)

    def plain_step() -> None:
        index = torch.randperm(N_TRAIN, device=device)[:BATCH]
        plain.step(image[index], text[index], label[index])

    ours = random_steps(method, image, text, label, batch_size=BATCH)
    time_ways(
        {"plain": plain_step, "ours": ours}, benchmark="step", case=f"training step, batch {BATCH}", **timing
    )


if __name__ == "__main__":
    main()
