"""Times mean average precision over whole rankings: the field's loop, other libraries, and this package.

One process runs everything on the same codes and labels, checks that the numbers agree, prints times, ratios
and pairs per second, and appends a row per measurement to a CSV file. Needs torch; runs torchmetrics,
scikit-learn and faiss where they are installed, each on a part of the queries if it would take too long.

Two clocks run: the wall's, and the processor time of all threads divided by the number of threads. On a
machine that does nothing else both say the same. The slow ways rank only some of the queries, and their times
are scaled up: queries_timed among the details says how many. All take turns, --repeats times.

share_of_popcount holds a way against the time that XOR and popcount alone would take for all pairs, on words
in the cache, with all threads. Nothing that looks at one pair after the other is faster.

    python benchmarks/benchmark_ranking.py --sizes mir nus --bits 16 32 64 128
    python benchmarks/benchmark_ranking.py --sizes large --repeats 3
    python benchmarks/benchmark_ranking.py --picture benchmarks/ranking.png
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import Any

import cmh_metrics
import numpy as np
import torch
from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._kernels import vectors
from cmh_metrics._kernels.jit import jit
from cmh_metrics._kernels.popcount import popcount

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parents[2] / "tools")]
import field_loop  # noqa: E402 - the tests' slow reference
from recording import append, versions  # noqa: E402 - one form for all benchmarks
from torch_field_loop import run_field_loop  # noqa: E402 - the baseline, which the tests check

RESULTS = HERE / "results.csv"
SIZES = {  # n_query, n_database, n_label
    "small": (200, 5_000, 24),
    "mir": (2_000, 18_015, 24),
    "nus": (2_100, 193_734, 21),
    "large": (10_000, 1_000_000, 24),
    "huge": (10_000, 10_000_000, 24),
}
LIMIT_PAIRS = {  # the slow ways rank only as many queries as that
    "field loop": 1e7,
    "torchmetrics": 2e6,
    "scikit-learn": 2e6,
    "faiss": 4e6,
    "cmh numpy": 4e7,
    "cmh index order": 5e8,
    "cmh index order, by pair": 5e8,
}
_SHORTEST_TURN = 0.25  # seconds


def make_arrays(n_query: int, n_database: int, n_label: int, bits: int) -> dict[str, np.ndarray]:
    """Codes that know something about multi-hot labels, whose frequencies fall off as in the field's data."""
    rng = np.random.default_rng(bits)
    frequency = 0.35 / np.arange(1, n_label + 1) ** 0.8
    projection = rng.normal(size=(n_label, bits)).astype(np.float32)

    def side(n: int) -> tuple[np.ndarray, np.ndarray]:
        codes, labels = np.empty((n, bits), np.int8), np.empty((n, n_label), np.uint8)
        for start in range(0, n, 50_000):
            part = slice(start, min(start + 50_000, n))
            rows = part.stop - start
            some = rng.random((rows, n_label)) < frequency
            some[np.arange(rows), rng.integers(n_label, size=rows)] |= ~some.any(axis=1)
            noise = rng.normal(scale=2, size=(rows, bits)).astype(np.float32)
            codes[part] = np.where(some @ projection + noise >= 0, 1, -1)
            labels[part] = some
        return codes, labels

    (query_codes, query_labels), (database_codes, database_labels) = side(n_query), side(n_database)
    return {
        "query_codes": query_codes,
        "database_codes": database_codes,
        "query_labels": query_labels,
        "database_labels": database_labels,
    }


def run_torchmetrics(query_codes, database_codes, query_labels, database_labels):  # noqa: ANN001, ANN201
    """Torchmetrics' retrieval mAP; scores are shifted above zero, because it drops items scored 0 or less."""
    from torchmetrics.functional.retrieval import retrieval_average_precision  # noqa: PLC0415

    total = 0.0
    database, offered = torch.from_numpy(database_codes).float(), torch.from_numpy(database_labels).float()
    for code, label in zip(query_codes, query_labels, strict=True):
        scores = database @ torch.from_numpy(code).float() + len(code) + 1
        total += float(retrieval_average_precision(scores, offered @ torch.from_numpy(label).float() > 0))
    return total / len(query_codes)


def run_sklearn(query_codes, database_codes, query_labels, database_labels):  # noqa: ANN001, ANN201
    """Scikit-learn's average precision, which takes the precision at the end of each tie group."""
    from sklearn.metrics import average_precision_score  # noqa: PLC0415

    total = 0.0
    database, offered = database_codes.astype(np.float32), database_labels.astype(np.float32)
    for code, label in zip(query_codes, query_labels, strict=True):
        relevant = offered @ label > 0
        total += float(average_precision_score(relevant, database @ code)) if relevant.any() else 0.0
    return total / len(query_codes)


def run_faiss(query_codes, database_codes, query_labels, database_labels):  # noqa: ANN001, ANN201
    """A full ranking from faiss' exact binary index, then average precision with numpy."""
    import faiss  # noqa: PLC0415

    index = faiss.IndexBinaryFlat(database_codes.shape[1])
    index.add(cmh_metrics.pack_codes(database_codes).as_bytes())
    packed = cmh_metrics.pack_codes(query_codes).as_bytes()
    offered = database_labels.astype(np.float32)
    total = 0.0
    for start in range(0, len(packed), 16):
        _, rows = index.search(packed[start : start + 16], len(database_codes))
        for label, order in zip(query_labels[start : start + 16], rows, strict=True):
            ranks = np.flatnonzero((offered @ label > 0)[order]) + 1
            total += (np.arange(1, len(ranks) + 1) / ranks).mean() if len(ranks) else 0.0
    return total / len(packed)


def ours(**options):  # noqa: ANN003, ANN201
    """Return a way that calls this package."""

    def run(query_codes, database_codes, query_labels, database_labels):  # noqa: ANN001, ANN202
        return cmh_metrics.mean_average_precision(
            query_codes=query_codes,
            database_codes=database_codes,
            query_labels=query_labels,
            database_labels=database_labels,
            threads=torch.get_num_threads(),
            **options,
        )

    return run


def pair_by_pair(**arrays):  # noqa: ANN003, ANN201
    """Ties by row on a processor that lacks the instructions of the bit-sliced kernel: the plain way."""
    vectors.PARTS_WORDS, parts_words = False, vectors.PARTS_WORDS
    try:
        return ours(ties="index")(**arrays)
    finally:
        vectors.PARTS_WORDS = parts_words


WAYS = {
    "field loop": run_field_loop,
    "torchmetrics": run_torchmetrics,
    "scikit-learn": run_sklearn,
    "faiss": run_faiss,
    "cmh numpy": ours(backend="numpy"),
    "cmh index order": ours(ties="index"),
    "cmh index order, by pair": pair_by_pair,
    "cmh": ours(),
    "cmh packed": ours(),
}
EXACT = 1e-9  # in double precision
SINGLE = 1e-5  # in single precision, as the field's loop and torchmetrics add


def prepare(way: str, arrays: dict[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
    """Return (queries that the way is timed on, its arguments), with everything compiled and cached."""
    n_query, n_database = len(arrays["query_codes"]), len(arrays["database_codes"])
    timed = n_query
    if way in LIMIT_PAIRS:
        timed = min(n_query, max(5, int(LIMIT_PAIRS[way] // n_database)))
    part = {name: value[:timed] if "query" in name else value for name, value in arrays.items()}
    if way == "cmh packed":
        for name in ("query_codes", "database_codes"):
            part[name] = cmh_metrics.pack_codes(part[name])
    if way.startswith("cmh"):
        WAYS[way](**part)
    return timed, part


@jit
def count_differences(query: Any, words: Any, repeats: int) -> Any:
    """Return the sum of the distances of a query from words that stay in the cache, `repeats` times."""
    total = np.int64(0)
    for _ in range(repeats):
        query ^= np.uint64(total & 1)  # so that no turn can be left out
        for row in range(words.size):
            total += popcount(query ^ words[row])
    return total


def differences_per_second(threads: int) -> float:
    """Return the bits of codes that XOR and popcount alone compare in a second, the bound of such ways."""
    words = np.random.default_rng(0).integers(1 << 63, size=2048, dtype=np.uint64)
    repeats, best = 50_000, np.inf
    for _ in range(15):
        start = time.perf_counter()
        over_ranges(
            lambda first, last: [count_differences(np.uint64(i), words, repeats) for i in range(first, last)],
            4 * threads,
            threads,
        )
        best = min(best, time.perf_counter() - start)
    return 4 * threads * repeats * words.size * 64 / best


def take_turn(way: str, part: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Return (wall seconds, processor seconds a thread, mAP) of a call, the mean where calls are quick."""
    n_call = 0
    wall, processor = time.perf_counter(), time.process_time()
    while not n_call or time.perf_counter() - wall < _SHORTEST_TURN:
        value = WAYS[way](**part)
        n_call += 1
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return wall / n_call, processor / torch.get_num_threads() / n_call, value


def check(values: dict[str, tuple[int, float]], arrays: dict[str, np.ndarray]) -> None:
    """Raise unless every way's mAP is what this package says for the same queries and ties."""
    for way, (timed, value) in values.items():
        part = {name: array[:timed] if "query" in name else array for name, array in arrays.items()}
        tables = cmh_metrics.ranking_tables(**part)
        if way in ("field loop", "torchmetrics"):  # their sorts are not stable: any order inside ties
            low, high = (cmh_metrics.mean_average_precision(tables=tables, ties=t) for t in ("worst", "best"))
            tolerance = SINGLE
        elif way == "scikit-learn":
            low = high = end_of_ties(tables)
            tolerance = EXACT
        else:
            in_order = way == "faiss" or way.startswith("cmh index order")
            low = high = ours(ties="index")(**part) if in_order else ours()(**part)
            tolerance = EXACT
        if not low - tolerance <= value <= high + tolerance:
            raise SystemExit(f"{way} says mAP {value:.9f}, expected {low:.9f} to {high:.9f}")
    part = {name: array[:3] if "query" in name else array for name, array in arrays.items()}
    slow = np.nan_to_num(field_loop.average_precision(**part)).mean()
    if abs(WAYS["cmh index order"](**part) - slow) > EXACT:
        raise SystemExit("index order disagrees with the tests' slow reference")


def end_of_ties(tables: cmh_metrics.RankingTables) -> float:
    """Return mAP as scikit-learn has it: each relevant item counts the precision at the end of its ties."""
    found, places = tables.relevant.cumsum(axis=1), tables.retrieved.cumsum(axis=1)
    sums = (tables.relevant * found / np.maximum(places, 1)).sum(axis=1)
    return float((sums / np.maximum(found[:, -1], 1)).mean())


def available(way: str) -> bool:
    """Whether the library behind a way is installed."""
    names = {"torchmetrics": "torchmetrics", "scikit-learn": "scikit-learn", "faiss": "faiss-cpu"}
    return way not in names or names[way] in versions()


def run(size: str, bits: int, ways: list[str], repeats: int, path: Path) -> None:
    n_query, n_database, n_label = SIZES[size]
    arrays = make_arrays(n_query, n_database, n_label, bits)
    pairs = n_query * n_database
    prepared = {way: prepare(way, arrays) for way in ways}
    turns = {way: [] for way in ways}
    for _ in range(repeats):  # in turn, so that a slow minute of the machine meets all of them
        for way, (_, part) in prepared.items():
            turns[way].append(take_turn(way, part))
    bound = pairs * bits / differences_per_second(torch.get_num_threads())  # seconds
    values, rows = {}, []
    for way, (timed, _) in prepared.items():
        values[way] = (timed, turns[way][-1][2])
        wall, processor, _ = np.array(turns[way]).T * n_query / timed
        rows.append([way, timed, *np.quantile(wall, [0.2, 0.5, 0.8]), np.median(processor), values[way][1]])
    check(values, arrays)
    baseline = next((row[3:6:2] for row in rows if row[0] == "field loop"), (float("nan"), float("nan")))
    measured = []
    for way, timed, p20, p50, p80, processor, found in rows:
        ratio, processor_ratio, rate = baseline[0] / p50, baseline[1] / processor, pairs / p50
        print(
            f"{size:6} {bits:4} bits  {way:24} {p50:9.4f} s ({p20:.4f} to {p80:.4f})  "
            f"{ratio:8.2f} x  (processor {processor:9.4f} s, {processor_ratio:8.2f} x)  "
            f"{rate / 1e9:7.3f} G pairs/s, {bound / p50:6.1%} of popcount's  "
            f"mAP {found:.4f} ({timed} queries)",
            flush=True,
        )
        measured.append({
            "benchmark": "ranking", "case": f"{size}, {bits} bits", "way": way, "device": "cpu",
            "threads": torch.get_num_threads(),
            "p20_s": f"{p20:.6f}", "p50_s": f"{p50:.6f}", "p80_s": f"{p80:.6f}",
            "ratio": "" if np.isnan(ratio) else f"{ratio:.4g}",
            "details": {
                "n_query": n_query, "n_database": n_database, "queries_timed": timed,
                "cpu_p50_s": f"{processor:.6f}", "cpu_ratio": f"{processor_ratio:.4g}",
                "pairs_per_s": f"{rate:.4g}", "map": f"{found:.6f}",
                "share_of_popcount": f"{bound / p50:.4f}",
            },
        })  # fmt: skip
    append(measured, path)


def draw(path: Path, picture: Path) -> None:
    """Draw the ratios of the newest measurements at 64 bits, all of the processor that was used last."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["benchmark"] == "ranking"]
    rows = [row for row in rows if row["processor"] == rows[-1]["processor"] and row["ratio"]]
    newest = {(*row["case"].split(", "), row["way"]): float(row["ratio"]) for row in rows}
    newest = {(size, way): ratio for (size, bits, way), ratio in newest.items() if bits == "64 bits"}
    sizes = [size for size in SIZES if (size, "field loop") in newest]
    figure, axes = plt.subplots(
        1, len(sizes), figsize=(4.2 * len(sizes), 2.9), sharey=True, layout="constrained"
    )
    for axis, size in zip(np.atleast_1d(axes), sizes, strict=True):
        ways = [way for way in WAYS if (size, way) in newest]
        ratios = [newest[size, way] for way in ways]
        bars = axis.barh(
            ways, ratios, color=["#404040" if way.startswith("cmh") else "#b0b0b0" for way in ways]
        )
        axis.bar_label(bars, [f" {ratio:.3g}" for ratio in ratios])
        n_query, n_database, _ = SIZES[size]
        limits = (min(ratios) / 2, max(ratios) * 8)
        axis.set(xscale="log", xlim=limits, title=f"{size}: {n_query:,} x {n_database:,}")
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"speed of mAP over the whole ranking at 64 bits, the field's loop = 1; {rows[-1]['processor']}"
    )
    figure.savefig(picture, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["mir", "nus"])
    parser.add_argument("--bits", nargs="+", type=int, default=[16, 32, 64, 128])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[way for way in WAYS if available(way)])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--csv", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, help="only draw the newest rows of the CSV file")
    options = parser.parse_args()
    if options.picture:
        draw(options.csv, options.picture)
        return
    torch.set_num_threads(options.threads)
    for size in options.sizes:
        for bits in options.bits:
            run(size, bits, options.ways, options.repeats, options.csv)


if __name__ == "__main__":
    main()
