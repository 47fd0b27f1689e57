"""Times a database in shards against the same rows in one array, and streams one that fits in no memory.

The first part ranks files: one array in one process against shards one after the other and in one and two
processes, in turns, and checks that the tables are equal. The second ranks shards whose rows are made when
they are read, and records the time, how much of it went into making rows, and the peak memory of the process
beyond what it took before; with fewer rows than 100,000,000 it says how long these would take.

    python benchmarks/benchmark_shards.py
    python benchmarks/benchmark_shards.py --part stream --stream 10000000
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from cmh_metrics import DatabaseShard, RankingTables, ShardedDatabase, ranking_tables

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

RESULTS = Path(__file__).parent / "results.csv"
BITS, LABELS = 64, 24
WHOLE = 100_000_000


class MadeRows:
    """Rows of random bits that are a function of their number, made when they are read.

    Args:
        first: number of the first row.
        n: how many there are.
        columns: at most 64.
        sparse: how often a bit is halved in chance: 0 for 1 in 2, 2 for 1 in 8.
    """

    dtype = np.dtype(np.bool_)
    seconds = 0.0

    def __init__(self, first: int, n: int, columns: int, sparse: int) -> None:
        self.first, self.shape, self.sparse = first, (n, columns), sparse

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start = time.perf_counter()
        first, last, _ = rows.indices(len(self))
        numbers = np.arange(self.first + first, self.first + last, dtype=np.uint64)
        words = mixed(numbers + np.uint64(self.shape[1] << 40))
        for _ in range(self.sparse):
            numbers += np.uint64(1 << 50)
            words &= mixed(numbers)
        bits = np.unpackbits(words.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        MadeRows.seconds += time.perf_counter() - start
        return bits[:, : self.shape[1]].view(np.bool_)


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Return random words of numbers (splitmix64; Steele, Lea and Flood, 2014)."""
    words = numbers * np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def made_shards(n: int, rows: int) -> list[DatabaseShard]:
    """Describe `n` rows in shards of `rows`."""
    return [
        DatabaseShard(MadeRows(first, size, BITS, 0), MadeRows(first, size, LABELS, 2))
        for first in range(0, n, rows)
        for size in [min(rows, n - first)]
    ]


def queries(n: int) -> dict[str, np.ndarray]:
    """Make queries of the same kind."""
    first = 1 << 39
    return {
        "query_codes": MadeRows(first, n, BITS, 0)[:],
        "query_labels": MadeRows(first, n, LABELS, 2)[:],
    }


def peak() -> int:
    """Return the most memory that this process has taken, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def time_files(options: argparse.Namespace, folder: Path) -> list[dict]:
    """Time one array against shards, from files."""
    asked = queries(options.queries)
    whole = made_shards(options.database, options.database)[0]
    codes, labels = whole.codes[:], whole.labels[:]
    np.save(folder / "codes.npy", codes)
    np.save(folder / "labels.npy", labels)
    shards = []
    for number, rows in enumerate(np.array_split(np.arange(options.database), options.shards)):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        paths = folder / f"codes-{number}.npy", folder / f"labels-{number}.npy"
        for path, array in zip(paths, (codes[part], labels[part]), strict=True):
            np.save(path, array)
        shards.append(DatabaseShard(*paths))
    del codes, labels

    with ExitStack() as stack:
        pools = {
            n: stack.enter_context(ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("spawn")))
            for n in (1, 2)
        }

        def one_array() -> RankingTables:
            arrays = {
                f"database_{name}": np.load(folder / f"{name}.npy", mmap_mode="r")
                for name in ("codes", "labels")
            }
            return ranking_tables(**asked, **arrays)

        ways = {
            "one array": one_array,
            "shards": lambda: ranking_tables(**asked, database_codes=ShardedDatabase(shards)),
            **{
                f"shards, processes {n}": lambda pool=pool: ranking_tables(
                    **asked, database_codes=ShardedDatabase(shards, map=pool.map)
                )
                for n, pool in pools.items()
            },
        }
        expected = one_array()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(options.repeats + 1):  # the first starts the processes and loads the kernels
            for name, way in ways.items():
                start = time.perf_counter()
                tables = way()
                if turn:
                    seconds[name].append(time.perf_counter() - start)
                for table in ("retrieved", "relevant"):
                    if not np.array_equal(getattr(tables, table), getattr(expected, table)):
                        raise SystemExit(f"{name}: {table} differs")
    baseline = float(np.median(seconds["one array"]))
    rows = []
    for name, times in seconds.items():
        p20, p50, p80 = np.quantile(times, [0.2, 0.5, 0.8])
        print(f"{name:22} {p50:.3f} s ({p20:.3f} to {p80:.3f})  {baseline / p50:.2f} x", flush=True)
        rows.append({
            "benchmark": "shards", "case": f"{options.database} rows in files", "way": name, "device": "cpu",
            "threads": os.cpu_count(),
            "p20_s": f"{p20:.6f}", "p50_s": f"{p50:.6f}", "p80_s": f"{p80:.6f}",
            "ratio": f"{baseline / p50:.3f}",
            "details": {
                "n_query": options.queries, "n_database": options.database, "n_shard": options.shards
            },
        })  # fmt: skip
    return rows


def time_stream(options: argparse.Namespace) -> list[dict]:
    """Rank rows that are made when they are read."""
    asked = queries(options.stream_queries)
    ranking_tables(**asked, database_codes=ShardedDatabase(made_shards(1000, 1000)))  # loads the kernels
    MadeRows.seconds, before = 0.0, peak()
    database = ShardedDatabase(made_shards(options.stream, options.shard_rows))
    start, cpu = time.perf_counter(), time.process_time()
    tables = ranking_tables(**asked, database_codes=database)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    if not (tables.retrieved.sum(axis=1) == options.stream).all():
        raise SystemExit("rows were lost")
    memory = peak() - before
    whole = seconds * WHOLE / options.stream
    print(
        f"{options.stream_queries} queries x {options.stream} rows: {seconds:.1f} s, of these "
        f"{MadeRows.seconds:.1f} s making rows; {memory / 2**20:.0f} MiB beyond the {before / 2**20:.0f} MiB "
        f"before; {WHOLE} rows would take {whole:.0f} s"
    )
    return [{
        "benchmark": "shards", "case": "rows made as they are read", "way": "stream", "device": "cpu",
        "threads": os.cpu_count(),
        "p20_s": f"{seconds:.6f}", "p50_s": f"{seconds:.6f}", "p80_s": f"{seconds:.6f}", "ratio": "",
        "details": {
            "n_query": options.stream_queries, "n_database": options.stream, "n_shard": len(database.shards),
            "making_rows_s": f"{MadeRows.seconds:.3f}", "cpu_s": f"{cpu:.3f}",
            "peak_mib": f"{memory / 2**20:.1f}", "before_mib": f"{before / 2**20:.1f}",
            "whole_s": f"{whole:.1f}",
        },
    }]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=["files", "stream", "both"], default="both")
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--database", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stream", type=int, default=WHOLE // 10)
    parser.add_argument("--stream-queries", type=int, default=10_000)
    parser.add_argument("--shard-rows", type=int, default=1_000_000)
    parser.add_argument("--csv", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = []
    if options.part != "files":
        rows += time_stream(options)
    if options.part != "stream":
        with tempfile.TemporaryDirectory() as folder:
            rows += time_files(options, Path(folder))
    append(rows, options.csv)


if __name__ == "__main__":
    main()
