"""Time rounds and hash functions on 10,000 images and texts beside the program's way (tests/plain_mtfh.py).

    python benchmarks/benchmark_training.py [--rows 10000] [--repeats 2] [--threads 2] [--csv results.csv]

Plain: the similarities of all images and texts as a matrix, and one L-BFGS a bit in double precision, of
which only the first `--plain-bits` are fitted. Ours takes products of the labels instead, and fits all bits
at once. Prints the median milliseconds of a round and of the images' hash functions, and appends a row for
each to results.csv; of a whole training of ours it prints seconds, rounds, and the memory added at its peak.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from cmh_mtfh import METHOD
from cmh_mtfh._hash_functions import fit_logistic, kernel_width
from cmh_mtfh._rounds import Codes, Settings, one_round, sign
from cmh_testing import benchmark_parser, peak_memory, time_ways, timing_options
from cmh_train import TrainingData, build_method, fit, gaussian_kernel

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import plain_mtfh

WIDTHS = {"image": 128, "text": 100}
SETTINGS = Settings(image_share=0.5, mapping_weight=0.1, mapping_ridge=0.1, text_mapping="H2")


def main() -> None:
    parser = benchmark_parser(__doc__, __file__, repeats=2)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--anchors", type=int, default=1500)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--plain-bits", type=int, default=1)
    options = parser.parse_args()
    timing = {"benchmark": "training", "warm_up": False, **timing_options(options, "cmh-mtfh")}
    n, bits, device = options.rows, options.bits, options.device
    label = torch.eye(10)[torch.randint(10, (n,))]
    features = {
        name: label @ torch.randn(10, width) + torch.randn(n, width) for name, width in WIDTHS.items()
    }
    data = TrainingData.from_arrays(
        image=features["image"].numpy(), text=features["text"].numpy(), label=label.numpy()
    )

    before, started = peak_memory(device), time.perf_counter()
    chosen = {"bits": bits, "anchors": options.anchors}
    method = build_method(METHOD, chosen, data.spec, seed=0)
    losses = fit(method, data, epochs=method.config.epochs, batch_size=0, device=device).losses["total"]
    took, rounds = time.perf_counter() - started, len(set(losses))
    print(
        f"{n} rows, {options.anchors} anchors, {bits} bits: {rounds} rounds and all hash functions "
        f"took {took:.1f} s and {peak_memory(device) - before:.0f} MB more at the peak"
    )

    label = label.to(device)
    start = [sign(torch.randn(n, bits, device=device)) for _ in range(4)]

    def our_round() -> None:
        mappings = (torch.zeros(bits, bits, device=device) for _ in range(2))
        one_round(Codes(*(each.clone() for each in start), *mappings), label, label, SETTINGS, range)

    def plain_round() -> None:
        plain_mtfh.one_round(*start, label @ label.T, range)

    time_ways({"plain": plain_round, "ours": our_round}, case=f"round, {n} rows, {bits} bits", **timing)

    image = features["image"].to(device)
    anchors, width, codes = image[: options.anchors], kernel_width(image), method.image_codes

    def our_functions() -> None:
        kernels = (gaussian_kernel(rows, anchors, width) for rows in (image, anchors))
        fit_logistic(*kernels, codes, ridge=0.01, iterations=300)

    def plain_functions() -> None:
        kernels = [gaussian_kernel(rows, anchors, width).double() for rows in (image, anchors)]
        for bit in range(options.plain_bits):
            plain_mtfh.logistic(*kernels, codes[:, bit].double(), iterations=300)

    time_ways(
        {f"plain, {options.plain_bits} of {bits} bits": plain_functions, "ours": our_functions},
        case=f"hash functions of the images, {n} rows, {options.anchors} anchors, {bits} bits",
        **timing,
    )


if __name__ == "__main__":
    main()
