"""Time and memory of finding donors, and of one draw, at sizes up to millions of rows.

    uv run python packages/cmh-unpair/benchmarks/benchmark_donors.py --label-rows 10000000 --csv results.csv

By label: 24 labels, each drawn for itself, 3.8 of them on a row as in MIR-Flickr25K: the hardest case, with
the most distinct label vectors. By neighbour: `--width` features. 60% of the rows are unpaired
(30% of each side). A line for each.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
from cmh_unpair import UnpairedArrays, find_donors, plan_unpairing

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-rows", type=int, default=1_000_000)
    parser.add_argument("--neighbour-rows", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    if n := chosen.label_rows:
        labels = rng.random((n, 24), dtype=np.float32) < 0.158
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(None, None, labels)
        rows.append(measure(data, "label", chosen.repeats))
    if n := chosen.neighbour_rows:
        images = rng.standard_normal((n, chosen.width), dtype=np.float32)
        texts = rng.standard_normal((n, chosen.width), dtype=np.float32)
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(images, texts)
        rows.append(measure(data, "neighbour", chosen.repeats))
    if chosen.csv:
        append(rows, chosen.csv)


def measure(data: UnpairedArrays, by: Literal["label", "neighbour"], repeats: int) -> dict:
    found, drawn = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        donors = find_donors(data, by=by)
        found.append(time.perf_counter() - started)
        donors.draw(np.random.default_rng(0))
        drawn.append(time.perf_counter() - started - found[-1])
    p20, p50, p80 = (round(float(value), 3) for value in np.quantile(found, [0.2, 0.5, 0.8]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    details = {"rows": len(data), "draw_s": round(float(np.median(drawn)), 4), "peak_mb": peak}
    print(f"{by} | {p20} | {p50} | {p80} | {details}", flush=True)
    return {
        "benchmark": "donors", "case": f"by {by}", "way": "ours", "device": "cpu", "threads": 1,
        "p20_s": p20, "p50_s": p50, "p80_s": p80, "ratio": "", "details": details,
    }  # fmt: skip


if __name__ == "__main__":
    main()
