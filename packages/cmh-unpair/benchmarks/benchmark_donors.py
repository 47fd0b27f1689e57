"""Time and memory of finding donors, and of one draw, at sizes up to millions of rows.

    uv run python packages/cmh-unpair/benchmarks/benchmark_donors.py --label-rows 10000000 --csv results.csv
    uv run python packages/cmh-unpair/benchmarks/benchmark_donors.py --label-rows 0 --neighbour-rows 1000000 \
        --width 64 --probes 16 --no-exact --repeats 1

By label: 24 labels, each drawn for itself, 3.8 of them on a row as in MIR-Flickr25K: the hardest case, with
the most distinct label vectors. By neighbour: `--width` features around `--clusters` centres, as far from
them as these are from each other; 0 centres: normal numbers without structure, the hardest case for
`--probes`. 60% of the rows are unpaired (30% of each side). A line for each: quantiles of the wall time,
seconds of the processor, the peak of memory beyond what the data took, and with probes the share of the five
nearest pairs that was found, over a thousand rows.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
from cmh_unpair import Donors, UnpairedArrays, find_donors, plan_unpairing
from cmh_unpair._neighbours import mean_row, nearest_pairs

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

NEIGHBOURS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--label-rows", type=int, default=1_000_000)
    parser.add_argument("--neighbour-rows", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--probes", type=int, nargs="*", default=[], help="groups to look into")
    parser.add_argument("--exact", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    if n := chosen.label_rows:
        labels = np.empty((n, 24), np.bool_)
        for block in np.array_split(
            labels, max(1, n // 100_000)
        ):  # the peak of memory is not that of making it
            block[:] = rng.random(block.shape, dtype=np.float32) < 0.158
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(None, None, labels)
        del labels
        rows.append(measure(data, "label", repeats=chosen.repeats))
    if n := chosen.neighbour_rows:
        cluster = rng.integers(0, max(1, chosen.clusters), n)
        images, texts = (features(rng, cluster, chosen) for _ in range(2))
        data = plan_unpairing(n, unpaired_images=30, unpaired_text=30).apply(images, texts)
        del images, texts
        for probes in [*([None] if chosen.exact else []), *chosen.probes]:
            rows.append(measure(data, "neighbour", repeats=chosen.repeats, probes=probes))  # noqa: PERF401
    if chosen.csv:
        append(rows, chosen.csv)


def features(rng: np.random.Generator, cluster: np.ndarray, chosen: argparse.Namespace) -> np.ndarray:
    values = rng.standard_normal((len(cluster), chosen.width), dtype=np.float32)
    if chosen.clusters:
        values += rng.standard_normal((chosen.clusters, chosen.width), dtype=np.float32)[cluster]
    return values


def measure(
    data: UnpairedArrays, by: Literal["label", "neighbour"], *, repeats: int, probes: int | None = None
) -> dict:
    found, drawn, processor = [], [], []
    before = peak()
    for _ in range(repeats):
        started, worked = time.perf_counter(), time.process_time()
        donors = find_donors(data, by=by, probes=probes)
        found.append(time.perf_counter() - started)
        processor.append(time.process_time() - worked)
        donors.draw(np.random.default_rng(0))
        drawn.append(time.perf_counter() - started - found[-1])
    p20, p50, p80 = (round(float(value), 3) for value in np.quantile(found, [0.2, 0.5, 0.8]))
    details = {
        "rows": len(data),
        "cpu_s": round(float(np.median(processor)), 1),
        "draw_s": round(float(np.median(drawn)), 4),
        "peak_mb": peak(),
        "of_it_before_mb": before,
    }
    if probes is not None:
        details |= {"probes": probes, "recall": round(recall(data, donors), 3)}
    print(f"{by} | {p20} | {p50} | {p80} | {details}", flush=True)
    return {
        "benchmark": "donors", "case": f"by {by}", "way": "exact" if probes is None else f"{probes} groups",
        "device": "cpu", "threads": 1,
        "p20_s": p20, "p50_s": p50, "p80_s": p80, "ratio": "", "details": details,
    }  # fmt: skip


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def recall(data: UnpairedArrays, donors: Donors, n_sample: int = 1000) -> float:
    """The share of the nearest pairs among the donors of some rows without a text."""
    pairs = np.flatnonzero(data.image_present & data.text_present)
    sample = np.sort(np.random.default_rng(1).choice(donors.text.missing, n_sample, replace=False))
    centre = mean_row(data.images, np.flatnonzero(data.image_present))
    nearest, _ = nearest_pairs(data.images, sample, pairs, centre, NEIGHBOURS)
    return float(
        np.mean(
            [
                np.isin(best, donors.text.donors_of(row)).mean()
                for row, best in zip(sample, nearest, strict=True)
            ]
        )
    )


if __name__ == "__main__":
    main()
