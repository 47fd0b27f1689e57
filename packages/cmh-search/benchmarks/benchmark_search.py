"""Times exact top-10 searches beside faiss, usearch and plain numpy, in turns on the same codes and threads.

    uv run --package cmh-search --group engines python packages/cmh-search/benchmarks/benchmark_search.py
    ... --items 10000000 --ways index faiss --csv packages/cmh-search/benchmarks/results.csv

Also opening an index, adding 100,000 items, memory beyond the codes, faiss' binary IVF with its recall, and
how fast the mapped codes are read by a loop that does nothing else, on the same threads: the bound of a
search for one query. Distances of every exact way must be equal. usearch searches its own index of the same
bits by Hamming distance, `exact=True`; its graph, which an exact search does not use, is kept small, and its
function for arrays is slower still. On a busy machine only the ratios of one run mean something.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cmh_metrics
import cmh_search
import faiss
import numba
import numpy as np
from usearch.index import Index

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--queries", nargs="+", type=int, default=[1, 32, 1000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ways", nargs="+", default=["index", "faiss", "usearch", "numpy"])
    parser.add_argument("--ivf", type=int, nargs="*", default=[8, 64], metavar="NPROBE")
    parser.add_argument(
        "--processor-time", action="store_true", help="Time the process, not the clock: for a busy machine."
    )
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        rows = Benchmark(options, Path(folder)).run()
    if options.csv:
        append(rows, options.csv)


class Benchmark:
    """One size of index, and what is asked of it."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder / "index"
        rng = np.random.default_rng(0)
        centres = rng.integers(256, size=(1000, options.bits // 8), dtype=np.uint8)
        self.codes = self.turned(rng, centres[rng.integers(1000, size=options.items)])
        self.queries = self.turned(
            rng, self.codes[rng.integers(options.items, size=max(32, *options.queries))]
        )
        self.rows: list[dict] = []
        self.clock = time.process_time if options.processor_time else time.perf_counter

    @staticmethod
    def turned(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
        """The codes with a tenth of their bits turned: clustered, as learned codes are."""
        flips = np.zeros_like(codes)
        for bit in range(8):
            flips |= (rng.random(codes.shape, np.float32) < 0.1).astype(np.uint8) << np.uint8(bit)
        return codes ^ flips

    @staticmethod
    def packed(array: np.ndarray) -> cmh_metrics.PackedCodes:
        """Bytes as codes."""
        return cmh_metrics.PackedCodes.from_bytes(array)

    def run(self) -> list[dict]:
        """Build, compare, and return the measurements."""
        index = self.build()
        ways = {
            "index": lambda queries: (
                index.search(self.packed(queries), k=10, threads=self.options.threads).distances
            ),
            **self.others(),
        }
        self.read(index)
        for n in self.options.queries:
            self.compare(n, {name: ways[name] for name in self.options.ways})
        if self.options.ivf:
            self.approximate(index)
        return self.rows

    def build(self) -> cmh_search.CodeIndex:
        """Make the index in pieces of 100,000, and time the last one, and opening."""
        options, step = self.options, 100_000
        cmh_search.CodeIndex.create(self.folder, bits=options.bits)
        with cmh_search.IndexWriter(self.folder) as writer:
            for start in range(0, options.items, step):
                codes = self.codes[start : start + step]
                ids = [f"item {number}" for number in range(start, start + len(codes))]
                writer.add(ids=ids, image_codes=self.packed(codes))
            writer.compact()
            more, codes = [f"more {number}" for number in range(step)], self.packed(self.codes[:step])
            started = time.perf_counter()
            writer.add(ids=more, image_codes=codes)
            print(f"adding {step:,} items: {time.perf_counter() - started:.2f} s")
            writer.delete(more)
            writer.compact()
        times = []
        for _ in range(options.repeats):
            started = time.perf_counter()
            index = cmh_search.CodeIndex(self.folder)
            times.append(time.perf_counter() - started)
        print(f"opening {len(index):,} items: {1000 * np.median(times):.1f} ms")
        before = anonymous_memory()
        index.search(self.packed(self.queries[:32]), k=10, threads=options.threads)
        print(f"memory of a first search beyond the codes: {anonymous_memory() - before:.0f} MiB")
        return index

    def others(self) -> dict:
        """The other ways that were asked for."""
        made = {}
        if "faiss" in self.options.ways:
            flat = faiss.IndexBinaryFlat(self.options.bits)
            flat.add(self.codes)
            made["faiss"] = lambda queries: flat.search(queries, 10)[0]
        if "usearch" in self.options.ways:
            graph = Index(
                ndim=self.options.bits, metric="hamming", dtype="b1", connectivity=2, expansion_add=1
            )
            graph.add(np.arange(len(self.codes)), self.codes, threads=self.options.threads)
            exact = partial(graph.search, count=10, exact=True, threads=self.options.threads)
            made["usearch"] = lambda queries: exact(queries).distances
        if "numpy" in self.options.ways:
            words = self.codes.view(np.uint64)
            made["numpy"] = lambda queries: np.stack([
                np.sort(np.partition(np.bitwise_count(words ^ query).sum(axis=1), 9)[:10])
                for query in queries.view(np.uint64)
            ])  # fmt: skip
        return made

    def read(self, index: cmh_search.CodeIndex) -> None:
        """Time a loop that reads the mapped codes and does nothing else: the bound of a single query."""
        words = [np.load(path, mmap_mode="r").reshape(-1) for path in index.path.glob("*/codes_image.npy")]
        parts = [part for one in words for part in np.array_split(np.asarray(one), self.options.threads)]
        times = []
        with ThreadPoolExecutor(self.options.threads) as pool:
            for _ in range(8 * self.options.repeats):
                started = self.clock()
                list(pool.map(mixed, parts))
                times.append(self.clock() - started)
        bound = np.median(times)
        self.reading_rate = self.codes.nbytes / bound / 1e9
        print(f"reading the codes alone: {1000 * bound:.3f} ms, {self.reading_rate:.1f} GB/s")

    def compare(self, n: int, ways: dict) -> None:
        """Time the ways in turns."""
        calls = max(1, 32 // n)  # in a row, as a server makes them
        slow = {name for name in ways if name in ("numpy", "usearch") and n > 32}
        ways = {name: way for name, way in ways.items() if name not in slow}
        times: dict[str, list[float]] = {name: [] for name in ways}
        found = {}
        for turn in range(self.options.repeats + 1):
            for name, way in ways.items():
                started = self.clock()
                for call in range(calls):
                    found[name, call] = way(self.queries[call * n : (call + 1) * n])
                if turn:  # the first one loads and compiles
                    times[name].append((self.clock() - started) / calls)
        first = next(iter(ways))
        for (name, call), distances in found.items():
            same = np.asarray(distances).reshape(n, 10).astype(np.int64)
            if not np.array_equal(same, np.asarray(found[first, call]).reshape(n, 10).astype(np.int64)):
                raise SystemExit(f"distances of {name} and {first} differ")
        base = np.median(times["faiss"]) if "faiss" in times else np.nan
        for name in ways:
            p20, p50, p80 = np.quantile(times[name], [0.2, 0.5, 0.8])
            rate = self.codes.nbytes * n / p50 / 1e9
            print(f"{len(self.codes):,} items, {n} queries, {name}: {1000 * p50 / n:.3f} ms a query, "
                  f"{base / p50:.2f} x faiss, {rate:.1f} GB/s of codes", flush=True)  # fmt: skip
            self.rows.append({
                "benchmark": "search", "case": f"{len(self.codes)} x {self.options.bits} bits, {n} queries",
                "way": name, "device": "cpu", "threads": self.options.threads, "p20_s": f"{p20:.6f}",
                "p50_s": f"{p50:.6f}", "p80_s": f"{p80:.6f}", "ratio": f"{base / p50:.3f}",
                "details": {"codes_GB_per_s": f"{rate:.2f}", "reading_GB_per_s": f"{self.reading_rate:.2f}"},
            })  # fmt: skip

    def approximate(self, index: cmh_search.CodeIndex) -> None:
        """Time the binary IVF of faiss, and say which share of the ten nearest distances it finds."""
        queries = self.packed(self.queries[:100])
        started = self.clock()
        approximate = cmh_search.FaissSearch(index)
        print(f"binary IVF built in {self.clock() - started:.1f} s")
        for probes in self.options.ivf:
            approximate.search(queries[:2], k=10, probes=probes)
            started = self.clock()
            approximate.search(queries, k=10, probes=probes)
            seconds = (self.clock() - started) / len(queries)
            recall = approximate.recall(queries, probes=probes)
            print(
                f"binary IVF, {probes} probes: {1000 * seconds:.3f} ms a query, recall {recall:.4f}",
                flush=True,
            )


@numba.njit(nogil=True)
def mixed(words: np.ndarray) -> int:
    """All words read, and nothing else done with them."""
    total = np.uint64(0)
    for i in range(words.size):
        total ^= words[i]
    return total


def anonymous_memory() -> float:
    """Memory of this process that belongs to no file, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    main()
