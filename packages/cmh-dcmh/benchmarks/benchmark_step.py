"""Compare a training step of each net with the authors' loop, written plainly (tests/plain_dcmh.py).

    python benchmarks/benchmark_step.py [--repeats 15] [--rows 10000] [--threads 2] [--device cuda]

Prints the median milliseconds of both, taken in turn in one process, and appends a row for each to
results.csv. On a GPU every step ends with waiting for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_dcmh import DCMH, DCMHConfig
from cmh_testing import benchmark_parser, random_steps, time_ways, timing_options
from cmh_train import DataSpec, TrainingRows

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_dcmh import PlainLoop

BATCH, BITS, D_IMAGE, D_TEXT, N_LABEL = 128, 64, 4096, 1386, 24


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=15)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    timing, device, n = timing_options(options, "cmh-dcmh"), options.device, options.rows
    image, text = torch.rand(n, D_IMAGE, device=device), (torch.rand(n, D_TEXT, device=device) < 0.01).float()
    label = (torch.rand(n, N_LABEL, device=device) < 0.15).float()
    here = torch.ones(n, dtype=torch.bool, device=device)

    with torch.device(device):
        plain = PlainLoop(image, text, label, bits=BITS, batch_size=BATCH)
    spec = DataSpec(n_train=n, image_shape=(D_IMAGE,), text_width=D_TEXT, n_label=N_LABEL)
    method = DCMH(DCMHConfig(bits=BITS), spec).to(device)
    method.begin_training(
        TrainingRows(image=image, text=text, label=label, image_present=here, text_present=here)
    )
    plain.begin_epoch()
    next_step = random_steps(method, image, text, label, batch_size=BATCH)

    def our_step(modality: str) -> None:
        method.begin_epoch(0)
        method._step = 0 if modality == "text" else method._steps  # noqa: SLF001 - whose turn it is
        next_step()

    for modality in ("text", "image"):
        ways = {
            "plain": lambda modality=modality: plain.step(modality, 0.03),
            "ours": lambda modality=modality: our_step(modality),
        }
        case = f"{modality} step, batch {BATCH}, {n} rows"
        time_ways(ways, benchmark="step", case=case, **timing)


if __name__ == "__main__":
    main()
