"""Compare a training step with a plain re-statement of the authors' loop (tests/plain_djsrh.py).

    python benchmarks/benchmark_step.py [--repeats 31] [--threads 2] [--csv results.csv]

Prints the median milliseconds of both, taken in turn in one process on 4,096-d images and 1,386 words, and
appends a row for each to results.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_djsrh import DJSRH, DJSRHConfig
from cmh_testing import benchmark_parser, loader_steps, random_steps, time_ways, timing_options
from cmh_train import DataSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_djsrh import PlainLoop

BATCH, N_TRAIN, D_IMAGE, D_TEXT, BITS = 32, 512, 4096, 1386, 64


def main() -> None:
    options = benchmark_parser(__doc__, __file__, repeats=31).parse_args()
    timing = timing_options(options, "cmh-djsrh")
    image, text = torch.rand(N_TRAIN, D_IMAGE), (torch.rand(N_TRAIN, D_TEXT) < 0.01).float()
    plain = PlainLoop(image, text, bits=BITS, batch_size=BATCH)
    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = DJSRH(DJSRHConfig(bits=BITS), spec).to(options.device)
    ways = {
        "plain": loader_steps(plain.loader, lambda batch: plain.step(batch[0], batch[1], 1.0)),
        "ours": random_steps(method, image.to(options.device), text.to(options.device), batch_size=BATCH),
    }
    time_ways(ways, benchmark="step", case=f"training step, batch {BATCH}", **timing)


if __name__ == "__main__":
    main()
