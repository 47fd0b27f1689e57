"""Times the exact search for the nearest codes against faiss' binary flat index, on all processors.

One process runs both in turns on the same packed codes and checks that the distances are equal.

    python benchmarks/benchmark_search.py
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import cmh_metrics
import faiss
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

RESULTS = Path(__file__).parent / "results.csv"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bits", nargs="+", type=int, default=[16, 32, 64, 128])
    parser.add_argument("--k", nargs="+", type=int, default=[10, 100, 1000])
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--database", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--csv", type=Path, default=RESULTS)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    for bits in options.bits:
        queries, database = (
            cmh_metrics.PackedCodes.from_bytes(rng.integers(256, size=(n, bits // 8), dtype=np.uint8))
            for n in (options.queries, options.database)
        )
        index = faiss.IndexBinaryFlat(bits)
        index.add(database.as_bytes())
        for k in options.k:
            cmh_metrics.hamming_topk(query_codes=queries[:2], database_codes=database, k=k)  # is loaded
            theirs, ours = [], []
            for _ in range(options.repeats):
                start = time.perf_counter()
                expected, _ = index.search(queries.as_bytes(), k)
                theirs.append(time.perf_counter() - start)
                start = time.perf_counter()
                found, _ = cmh_metrics.hamming_topk(query_codes=queries, database_codes=database, k=k)
                ours.append(time.perf_counter() - start)
            if not np.array_equal(expected, found):
                raise SystemExit(f"distances differ at {bits} bits, k = {k}")
            slow, (p20, p50, p80) = np.median(theirs), np.quantile(ours, [0.2, 0.5, 0.8])
            print(
                f"{bits:4} bits  k {k:5}  faiss {slow:.4f} s  ours {p50:.4f} s  {slow / p50:.2f} x",
                flush=True,
            )
            rows.append({
                "benchmark": "search", "case": f"{bits} bits, k {k}", "way": "cmh", "device": "cpu",
                "threads": os.cpu_count(),
                "p20_s": f"{p20:.6f}", "p50_s": f"{p50:.6f}", "p80_s": f"{p80:.6f}",
                "ratio": f"{slow / p50:.3f}",
                "details": {
                    "n_query": options.queries, "n_database": options.database, "faiss_p50_s": f"{slow:.6f}"
                },
            })  # fmt: skip
    append(rows, options.csv)


if __name__ == "__main__":
    main()
