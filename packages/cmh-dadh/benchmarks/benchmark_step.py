"""Time a DADH step at the sizes of the paper against a plain re-statement of the original loop.

    python benchmark_step.py --repeats 6 --threads 2
    MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 python benchmark_step.py

The plain loop (tests/plain_loop.py) has a per-sample data set and a DataLoader, cubes of triplets, a second
text pass, gradients freed and allocated in each step, and reads every loss at once. Both loops run in turns
in one process on the same data. Times are printed and appended to results.csv; on a machine that others use,
compare its processor time. `--triplets` times the loss alone. With `--device cuda` each step ends with
waiting for the GPU, and the plain loop's samples stay in main memory, as the original's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from cmh_dadh import METHOD
from cmh_dadh._losses import triplet_losses, triplet_weights
from cmh_testing import benchmark_parser, time_ways, timing_options
from cmh_train import Batch, TrainingData, build_method

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_loop import BITS, IMAGE, LABELS, MARGIN, TEXT, WIDTHS, Plain, cube_loss


class Ours:
    """The package's step."""

    def __init__(self, data: TrainingData, batch_size: int, precision: str, device: torch.device) -> None:
        method = build_method(METHOD, {"layer_widths": WIDTHS, "bits": BITS}, data.spec, 0)
        self.method = method.train().to(device)
        self.arrays = [torch.from_numpy(a).to(device) for a in (data.image, data.text, data.label)]
        self.order = iter(torch.randperm(len(data.image)).to(device).split(batch_size))
        self.precision, self.device = precision, device

    def step(self) -> None:
        """Take one step."""
        index = next(self.order)
        image, text, label = (array[index] for array in self.arrays)
        present = torch.ones(len(index), dtype=torch.bool, device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            self.method.update(
                Batch(
                    image=image,
                    text=text,
                    label=label,
                    index=index,
                    image_present=present,
                    text_present=present,
                )
            )


class Triplets:
    """The triplet loss alone, both directions, with its gradient."""

    def __init__(self, batch: int, device: torch.device, *, plain: bool) -> None:
        codes = (torch.tanh(torch.randn(batch, BITS, device=device)) for _ in range(2))
        self.codes = [code.requires_grad_() for code in codes]
        self.label = (torch.rand(batch, LABELS, device=device) < 0.15).float()
        self.label[:, 0] = (self.label.sum(dim=1) == 0).float()
        self.plain = plain

    def step(self) -> None:
        """Take one step."""
        first, second = self.codes
        if self.plain:
            loss = cube_loss(first, second, self.label) + cube_loss(second, first, self.label)
        else:
            loss = triplet_losses(first, second, *triplet_weights(self.label), MARGIN).sum()
        loss.backward()


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=6)
    parser.add_argument("--bf16", action="store_true", help="measure bfloat16 too")
    parser.add_argument("--triplets", action="store_true", help="measure the triplet loss alone")
    options = parser.parse_args()
    device, batch_size = options.device, 128
    timing = {"benchmark": "step", **timing_options(options, "cmh-dadh")}
    if options.triplets:
        ways = {name: Triplets(batch_size, device, plain=name == "plain").step for name in ("plain", "ours")}
        time_ways(ways, case=f"triplet losses and gradients, batch {batch_size}", **timing)
        return
    rng = np.random.default_rng(0)
    rows = batch_size * (options.repeats + 1)
    label = (rng.random((rows, LABELS)) < 0.15).astype(np.float32)
    label[:, 0] = label.sum(axis=1) == 0
    data = TrainingData.from_arrays(
        image=rng.normal(size=(rows, IMAGE)).astype(np.float32),
        text=(rng.random((rows, TEXT)) < 0.01).astype(np.float32),
        label=label,
        image_mean=0.0,
        image_std=1.0,
    )
    loops = {
        "plain": Plain(data, batch_size, device),
        "ours": Ours(data, batch_size, "float32", device),
    }
    if options.bf16:
        loops["ours, bf16"] = Ours(data, batch_size, "bf16", device)
    ways = {name: loop.step for name, loop in loops.items()}
    kept = ", freed pages kept" if "MALLOC_TRIM_THRESHOLD_" in os.environ else ""
    time_ways(ways, case=f"training step, batch {batch_size}{kept}", **timing)


if __name__ == "__main__":
    main()
