"""Time and memory of finding donors, and of one draw, at sizes up to millions of rows.

    uv run python packages/cmh-unpair/benchmarks/benchmark_donors.py --label-rows 10000000

By label: 24 labels, each drawn for itself, 3.8 of them on a row as in MIR-Flickr25K: the hardest case, with
the most distinct label vectors. By neighbour: `--width` features. 60% of the rows are unpaired
(30% of each side). One line of CSV for each.
"""

from __future__ import annotations

import argparse
import csv
import platform
import resource
import sys
import time
from typing import Literal

import numpy as np
from cmh_unpair import UnpairedArrays, find_donors, plan_unpairing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-rows", type=int, default=1_000_000)
    parser.add_argument("--neighbour-rows", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=128)
    chosen = parser.parse_args()
    writer = csv.writer(sys.stdout)
    writer.writerow(["by", "rows", "find, s", "draw, s", "peak memory, MB", "data, MB", "processor"])
    rng = np.random.default_rng(0)
    if n := chosen.label_rows:
        labels = rng.random((n, 24), dtype=np.float32) < 0.158
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(None, None, labels)
        writer.writerow(["label", n, *measure(data, "label"), labels.nbytes >> 20, platform.processor()])
    if n := chosen.neighbour_rows:
        images = rng.standard_normal((n, chosen.width), dtype=np.float32)
        texts = rng.standard_normal((n, chosen.width), dtype=np.float32)
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(images, texts)
        size = (images.nbytes + texts.nbytes) >> 20
        writer.writerow(["neighbour", n, *measure(data, "neighbour"), size, platform.processor()])


def measure(data: UnpairedArrays, by: Literal["label", "neighbour"]) -> tuple[str, str, int]:
    started = time.perf_counter()
    donors = find_donors(data, by=by)
    found = time.perf_counter()
    donors.draw(np.random.default_rng(0))
    drawn = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return f"{found - started:.2f}", f"{drawn - found:.3f}", peak


if __name__ == "__main__":
    main()
