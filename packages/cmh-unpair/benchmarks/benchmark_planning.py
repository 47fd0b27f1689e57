"""Time the planning of many rows by every rule, and the import.

    python benchmarks/benchmark_planning.py --rows 200000 --repeats 3 --csv results.csv

A line per rule: the 20th, 50th and 80th percentile of the seconds, processor seconds of the median run, and
the peak memory of the process so far. Scores and labels are made before the clock starts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cmh_unpair import UnpairingPlan, pdr_plan, plan_unpairing, published_2022_plan

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

if TYPE_CHECKING:
    from collections.abc import Callable

IMPORT = "import time; start = time.perf_counter(); import cmh_unpair; print(time.perf_counter() - start)"


def rules(n: int) -> dict[str, Callable[[], UnpairingPlan]]:
    rng = np.random.default_rng(0)
    both = partial(plan_unpairing, n, unpaired_images=20, unpaired_text=20)
    classes = rng.integers(0, 24, n, dtype=np.uint8)
    scores = rng.random(n, dtype=np.float32)
    return {
        "first rows, 20/20": both,
        "first rows, 33.3/33.3": partial(plan_unpairing, n, unpaired_images=33.3, unpaired_text=33.3),
        "discard 20": partial(plan_unpairing, n, discard=20),
        "random, whole set": partial(both, select="random", block=None, seed=0),
        "random, blocks of 100": partial(both, select="random", seed=0),
        "ranked, whole set": partial(both, select="ranked", block=None, scores=scores),
        "ranked, blocks of 100": partial(both, select="ranked", scores=scores),
        "stratified, first rows": partial(both, stratify=classes),
        "stratified, random": partial(both, stratify=classes, select="random", seed=0),
        "partial data ratio": partial(pdr_plan, n, incomplete=40, seed=0),
        "as published": partial(published_2022_plan, n, unpaired_images=20, unpaired_text=20),
        "shuffle 20": partial(plan_unpairing, n, shuffle=20, seed=0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    arguments = parser.parse_args()
    imports = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
        imports.append(float(done.stdout))
    rows = [measured("import", imports, {})]
    for name, make in rules(arguments.rows).items():
        runs = []
        for _ in range(arguments.repeats):
            start, start_cpu = time.perf_counter(), time.process_time()
            make()
            runs.append((time.perf_counter() - start, time.process_time() - start_cpu))
        cpu = statistics.median(seconds for _, seconds in runs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        details = {"rows": arguments.rows, "cpu_s": round(cpu, 3), "peak_mb": peak}
        rows.append(measured(name, [seconds for seconds, _ in runs], details))
    if arguments.csv:
        append(rows, arguments.csv)


def measured(name: str, seconds: list[float], details: dict[str, float]) -> dict:
    p20, p50, p80 = (round(float(value), 4) for value in np.quantile(seconds, [0.2, 0.5, 0.8]))
    print(f"{name} | {p20} | {p50} | {p80} | {details}", flush=True)
    return {
        "benchmark": "planning", "case": name, "way": "ours", "device": "cpu", "threads": 1,
        "p20_s": p20, "p50_s": p50, "p80_s": p80, "ratio": "", "details": details,
    }  # fmt: skip


if __name__ == "__main__":
    main()
