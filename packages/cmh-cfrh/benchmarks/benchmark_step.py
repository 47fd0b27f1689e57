"""Compare a training step with a plain re-statement in the authors' manner, and with JDSH's if installed.

    python benchmarks/benchmark_step.py [--rows 5000] [--batch 32] [--repeats 100] [--csv results.csv]

The plain loop (tests/plain_cfrh.py) and ours take steps in turn in one process, on 512-d images and 1,386
words, and a row for each is appended to results.csv.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import torch
from cmh_testing import benchmark_parser, loader_steps, random_steps, time_ways, timing_options
from cmh_train import DataSpec, build_method, find_method

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_cfrh import PlainLoop

IMAGE_WIDTH, TEXT_WIDTH, BITS = 512, 1386, 64


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=100)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    timing, device, batch_size = timing_options(options, "cmh-cfrh"), options.device, options.batch
    image = torch.rand(options.rows, IMAGE_WIDTH)
    text = (torch.rand(options.rows, TEXT_WIDTH) < 0.01).float()
    plain = PlainLoop(image, text, bits=BITS, batch_size=batch_size)
    ways = {"plain": loader_steps(plain.loader, lambda batch: plain.step(batch[0], batch[1], 1.0))}
    spec = DataSpec(n_train=options.rows, image_shape=(IMAGE_WIDTH,), text_width=TEXT_WIDTH)
    for name in ("cfrh", *({"jdsh"} & entry_points(group="cmh.methods").names)):
        chosen = {"bits": BITS, "batch_size": batch_size}
        method = build_method(find_method(name), chosen, spec, seed=0).to(device)
        ways[name] = random_steps(method, image.to(device), text.to(device), batch_size=batch_size)
    time_ways(ways, benchmark="step", case=f"training step, batch {batch_size}", **timing)


if __name__ == "__main__":
    main()
