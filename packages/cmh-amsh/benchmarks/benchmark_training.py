"""Time a whole training on 10,000 rows beside the program's way of doing it (tests/plain_amsh.py).

    python benchmarks/benchmark_training.py [--rows 10000] [--repeats 2] [--threads 2] [--csv results.csv]

Ours: kernel features, 15 rounds and both hash functions. Plain: the same formulas as the program writes them,
items as columns, in double precision. Prints the median milliseconds of both and the memory that a training
of ours adds at its peak, and appends a row for each way to results.csv. `--plain-rounds` bounds the plain
training, which with fewer rounds does less than ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from cmh_amsh import METHOD
from cmh_testing import benchmark_parser, peak_memory, time_ways, timing_options
from cmh_train import TrainingData, build_method, fit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import plain_amsh

WIDTHS = {"image": 128, "text": 100}
ROUNDS, START_ROWS = 15, 1000


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=2)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--anchors", type=int, default=1500)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--plain-rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    timing = timing_options(options, "cmh-amsh")
    label = torch.eye(10)[torch.randint(10, (options.rows,))]
    features = {
        name: label @ torch.randn(10, width) + torch.randn(options.rows, width)
        for name, width in WIDTHS.items()
    }
    data = TrainingData.from_arrays(
        image=features["image"].numpy(), text=features["text"].numpy(), label=label.numpy()
    )

    def ours() -> None:
        chosen = {"bits": options.bits, "anchors": options.anchors}
        method = build_method(METHOD, chosen, data.spec, seed=0)
        fit(method, data, epochs=ROUNDS, batch_size=0, device=options.device)

    def plain() -> None:
        anchors = torch.randperm(options.rows)[: options.anchors]
        kernels, starts = {}, {}
        for name, values in features.items():
            kernels[name] = plain_amsh.kernel_features(values.double(), values[anchors].double())
            chosen = torch.randperm(options.rows)[:START_ROWS]
            starts[name] = plain_amsh.start(kernels[name], options.bits, chosen)
        labels = dict.fromkeys(features, label.double())
        count = options.plain_rounds
        _, codes, _, _ = plain_amsh.rounds(starts, labels, count=count, bits=options.bits)
        for name, kernel in kernels.items():
            plain_amsh.hash_function(kernel, codes[name], count=count)

    before = peak_memory(options.device)
    ours()
    print(f"{options.rows} rows: {peak_memory(options.device) - before:.0f} MB more at the peak")
    rounds = "" if options.plain_rounds == ROUNDS else f", {options.plain_rounds} of {ROUNDS} rounds"
    time_ways(
        {f"plain{rounds}": plain, "ours": ours},
        benchmark="training",
        case=f"training, {options.rows} rows, {options.anchors} anchors, {options.bits} bits",
        warm_up=False,
        **timing,
    )


if __name__ == "__main__":
    main()
