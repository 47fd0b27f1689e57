"""Times this package against the field's loop in turns, by processor time on one thread.

python benchmarks/compare_with_loop.py nus 64
"""

from __future__ import annotations

import sys
import time

import benchmark_ranking as ranking
import numpy as np
import torch

ROUNDS = 6
LOOP_PAIRS = 2_000_000  # the loop ranks as few queries as that, and is scaled up


def processor_seconds(run, arrays):  # noqa: ANN001, ANN201
    start = time.process_time()
    run(**arrays)
    return time.process_time() - start


def main() -> None:
    size, bits = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    n_query, n_database, n_label = ranking.SIZES[size]
    arrays = ranking.make_arrays(n_query, n_database, n_label, bits)
    few = max(10, LOOP_PAIRS // n_database)
    part = {name: value[:few] if "query" in name else value for name, value in arrays.items()}
    ours = ranking.ours()
    ours(**part)  # compiled functions are loaded
    loop, mine = [], []
    for _ in range(ROUNDS):
        loop.append(processor_seconds(ranking.run_field_loop, part) * n_query / few)
        mine.extend(processor_seconds(ours, arrays) for _ in range(3))
    for quantile in (0.2, 0.5, 0.8):
        slow, fast = np.quantile(loop, quantile), np.quantile(mine, quantile)
        rate = n_query * n_database / fast / 1e9
        times = f"loop {slow:.2f} s, ours {fast:.4f} s, {slow / fast:.0f} x"
        print(f"p{quantile * 100:.0f}: {times}, {rate:.2f} G pairs/s")


if __name__ == "__main__":
    main()
