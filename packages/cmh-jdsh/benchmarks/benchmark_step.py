"""Compare a training step with the authors' loop, written plainly (tests/plain_loop.py).

    python benchmarks/benchmark_step.py [--repeats 15] [--threads 2] [--device cuda] [--words 1]

Prints the median milliseconds of both, taken in turn in one process, and appends a row for each to
results.csv. On a GPU every step ends with waiting for it; the plain loop's samples stay in main memory, as
the original's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_jdsh import JDSH, JDSHConfig
from cmh_testing import benchmark_parser, loader_steps, random_steps, time_ways, timing_options
from cmh_train import DataSpec
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_loop import BITS, D_IMAGE, D_TEXT, PlainLoop, Samples

BATCH, N_TRAIN = 128, 512


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=15)
    parser.add_argument("--words", type=float, default=0.01, help="share of a text's entries that are not 0")
    options = parser.parse_args()
    timing, device = timing_options(options, "cmh-jdsh"), options.device
    image, text = torch.rand(N_TRAIN, D_IMAGE), (torch.rand(N_TRAIN, D_TEXT) < options.words).float()
    plain = PlainLoop(device)
    loader = DataLoader(Samples(image, text), batch_size=BATCH, shuffle=True, drop_last=True)
    spec = DataSpec(n_train=N_TRAIN, image_shape=(D_IMAGE,), text_width=D_TEXT)
    method = JDSH(JDSHConfig(bits=BITS), spec).to(device)
    ways = {
        "plain": loader_steps(loader, lambda batch: plain.step(batch[0].to(device), batch[1].to(device))),
        "ours": random_steps(method, image.to(device), text.to(device), batch_size=BATCH),
    }
    words = "" if options.words == parser.get_default("words") else f", {options.words:.2%} words"
    time_ways(ways, benchmark="step", case=f"training step, batch {BATCH}{words}", **timing)


if __name__ == "__main__":
    main()
