"""Time `unpair_file` on pixels of NUS-WIDE's shape against a plain copy and against the published way.

    python benchmarks/benchmark_rewriting.py --folder /big/disk --items 19583 --csv results.csv

The published way reads the whole array, removes rows in a loop and writes all of it. Every repetition
measures all ways in turn on the same file, each in a process of its own, whose peak memory and processor
seconds are shown too; importing is not timed. Every way ends with fsync, except `copy, not flushed`, which
returns while most of the copy is still in the memory of the operating system. The sources stay in the folder
for the next run if it is named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from cmh_unpair import UnpairingPlan, plan_unpairing, unpair_file

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

SHAPE = (3, 224, 224)
STORAGES = {
    "contiguous": {},
    "chunks of 1": {"chunks": (1, *SHAPE)},
    "gzip, chunks of 1": {"chunks": (1, *SHAPE), "compression": "gzip", "compression_opts": 1},
    "gzip, chunks of 8": {"chunks": (8, *SHAPE), "compression": "gzip", "compression_opts": 1},
}
# Share of the items that train (10,000 of NUS-WIDE's 195,834), and what is done to these.
PLANS = {
    "UT20 of the training rows": (10_000 / 195_834, {"unpaired_text": 20}),
    "UT20 of all items": (1.0, {"unpaired_text": 20}),
    "UIT100 of all items": (1.0, {"unpaired_images": 50, "unpaired_text": 50}),
}


def make_file(path: Path, items: int, storage: dict) -> None:
    """Noise of 32 levels, which gzip reduces to three quarters; photographs come to a similar share."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (64, *SHAPE), dtype=np.uint8) & 0xF8
    with h5py.File(path, "w") as file:
        images = file.create_dataset("IAll", (items, *SHAPE), np.uint8, **storage)
        for start in range(0, items, 64):
            images[start : start + 64] = base[: items - start] ^ np.uint8(start // 64 % 256)


def plan_rows(name: str, items: int) -> tuple[UnpairingPlan, np.ndarray]:
    """A plan and the rows of the file that it is for; a hundredth of the items, the queries, comes first."""
    share, percentages = PLANS[name]
    n_train = round(share * items)
    return plan_unpairing(n_train, **percentages), np.arange(n_train) + min(items - n_train, items // 100)


def copy(source: Path, target: Path, *_plan: object) -> None:
    shutil.copyfile(source, target)
    flush(target)


def copy_unflushed(source: Path, target: Path, *_plan: object) -> None:
    shutil.copyfile(source, target)


def ours(source: Path, target: Path, plan: UnpairingPlan, rows: np.ndarray) -> None:
    unpair_file(source, target, plan, rows=rows)


def ours_unverified(source: Path, target: Path, plan: UnpairingPlan, rows: np.ndarray) -> None:
    unpair_file(source, target, plan, rows=rows, verify=False)


def published(source: Path, target: Path, plan: UnpairingPlan, rows: np.ndarray) -> None:
    """Read all, loop over rows, write all, with the storage of the source."""
    with h5py.File(source) as file:
        images = file["IAll"][()]
        storage = {"chunks": file["IAll"].chunks, "compression": file["IAll"].compression}
        storage["compression_opts"] = file["IAll"].compression_opts
    blank = np.zeros(SHAPE, dtype=np.uint8)
    for row, present in zip(rows, plan.image_present, strict=True):
        if not present:
            images[row] = blank
    with h5py.File(target, "w") as file:
        file.create_dataset("IAll", data=images, **storage)
    flush(target)


def flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


WAYS = {
    "copy": copy,
    "copy, not flushed": copy_unflushed,
    "ours": ours,
    "ours, unverified": ours_unverified,
    "published way": published,
}


def run_one(way: str, source: Path, target: Path, plan_name: str) -> None:
    """Run one way in this process and print seconds, processor seconds and peak memory in MB."""
    import resource  # noqa: PLC0415 - not on Windows

    with h5py.File(source) as file:
        items = len(file["IAll"])
    plan, rows = plan_rows(plan_name, items)
    start, start_cpu = time.perf_counter(), time.process_time()
    WAYS[way](source, target, plan, rows)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(
    source: Path, target: Path, plan_name: str, *, ways: list[str], repeats: int
) -> dict[str, list[tuple[float, float, float]]]:
    """Seconds, processor seconds and megabytes of every repetition of every way, taken in turn."""
    results: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            target.unlink(missing_ok=True)
            os.sync()  # what the way before has left to write is not this one's burden
            command = [sys.executable, __file__, "--one", way, str(source), str(target), plan_name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, cpu, memory = map(float, done.stdout.split())
            results[way].append((seconds, cpu, memory))
    target.unlink(missing_ok=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--items", type=int, default=195_834)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--storages", nargs="+", choices=STORAGES, default=list(STORAGES))
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        way, source, target, plan_name = arguments.one
        run_one(way, Path(source), Path(target), plan_name)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for storage in arguments.storages:
            source = folder / f"{storage.replace(', ', '-').replace(' ', '-')}-{arguments.items}.h5"
            if not source.exists():
                make_file(source, arguments.items, STORAGES[storage])
            for plan_name in arguments.plans:
                results = measure(
                    source, folder / "out.h5", plan_name, ways=arguments.ways, repeats=arguments.repeats
                )
                rows = [
                    summary(source, runs, f"{storage}, {plan_name}", way, results.get("copy", runs))
                    for way, runs in results.items()
                ]
                for row in rows:
                    print(" | ".join(map(str, row.values())), flush=True)
                if arguments.csv:
                    append(rows, arguments.csv)


def summary(
    source: Path, runs: list[tuple[float, ...]], case: str, way: str, copies: list[tuple[float, ...]]
) -> dict:
    """Quantiles of the repetitions of one way, and its speed as a share of that of copying."""
    p20, p50, p80 = np.quantile([seconds for seconds, *_ in runs], [0.2, 0.5, 0.8])
    return {
        "benchmark": "rewriting",
        "case": case,
        "way": way,
        "device": "cpu",
        "threads": 1,
        "p20_s": round(p20, 3),
        "p50_s": round(p50, 3),
        "p80_s": round(p80, 3),
        "ratio": round(statistics.median(seconds for seconds, *_ in copies) / p50, 3),
        "details": {
            "file_mb": round(source.stat().st_size / 1e6),
            "repeats": len(runs),
            "cpu_s": round(statistics.median(cpu for _, cpu, _ in runs), 2),
            "peak_mb": round(max(memory for *_, memory in runs)),
        },
    }


if __name__ == "__main__":
    main()
