"""Compare a training step, the triplet loss and the label codes with plain restatements of the original loop.

    python benchmarks/benchmark_step.py [--repeats 7] [--threads 2] [--small] [--device cuda]

Prints the median milliseconds of the plain form (tests/plain_loop.py) and of ours, taken in turn in one
process, and how often ours fits in, and appends a row for each to results.csv. On a GPU every call ends with
waiting for it; the plain loop's samples stay in main memory, as the original's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_agah import AGAH, AGAHConfig
from cmh_agah._losses import triplet_losses
from cmh_agah._updates import update_label_codes
from cmh_testing import benchmark_parser, loader_steps, random_steps, time_ways, timing_options
from cmh_train import DataSpec
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import plain_agah
from plain_loop import BATCH, BITS, N_LABEL, N_TRAIN, PlainLoop, Samples, plain_triplets


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=7)
    parser.add_argument("--small", action="store_true", help="narrow nets; recorded where --csv says")
    options = parser.parse_args()
    device = options.device
    timing = {"benchmark": "step", **timing_options(options, "cmh-agah")}
    if options.small and options.csv == parser.get_default("csv"):
        timing["record"] = None  # not among the full ones
    d_image, d_text, text_widths = (64, 32, (64, 32)) if options.small else (4096, 1386, (8192, 4096))
    image, text = torch.rand(N_TRAIN, d_image), (torch.rand(N_TRAIN, d_text) < 0.01).float()
    label = (torch.rand(N_TRAIN, N_LABEL) < 0.15).float()
    label[:, 0] += label.sum(dim=1) == 0

    codes = [torch.randn(10_000, BITS, device=device) for _ in range(2)]
    labels = (torch.rand(10_000, N_LABEL, device=device) < 0.15).float()
    start = torch.randn(N_LABEL, BITS, device=device).sign()
    arguments = (start, *codes, labels)
    assert torch.equal(update_label_codes(*arguments), plain_agah.update_label_codes(*arguments))
    time_ways(
        {
            "plain": lambda: plain_agah.update_label_codes(*arguments),
            "ours": lambda: update_label_codes(*arguments),
        },
        case="label codes",
        **timing,
    )

    left, right = (torch.tanh(torch.randn(BATCH, BITS, device=device)).requires_grad_() for _ in range(2))
    on_device = {
        name: value.to(device) for name, value in (("image", image), ("text", text), ("label", label))
    }
    some_labels = on_device["label"][:BATCH]

    def plain_triplet_step() -> None:
        both = ((left, right), (right, left))
        sum(plain_triplets(*codes, some_labels, 0.3) for codes in both).backward()

    def our_triplet_step() -> None:
        sum(triplet_losses(left, right, some_labels).values()).backward()

    ways = {"plain": plain_triplet_step, "ours": our_triplet_step}
    time_ways(ways, case="triplet losses and gradients", **timing)

    plain = PlainLoop(d_image, d_text, text_widths, device)
    loader = DataLoader(Samples(image, text, label), batch_size=BATCH, shuffle=True, drop_last=True)
    plain_step = loader_steps(loader, lambda batch: plain.step(*(values.to(device) for values in batch)))

    spec = DataSpec(n_train=N_TRAIN, image_shape=(d_image,), text_width=d_text, n_label=N_LABEL)
    method = AGAH(AGAHConfig(text_widths=text_widths), spec).to(device)
    our_step = random_steps(method, **on_device, batch_size=BATCH)
    ways = {"plain": plain_step, "ours": our_step}
    time_ways(ways, case=f"training step, batch {BATCH}", **timing)


if __name__ == "__main__":
    main()
