"""Time and memory of large files: opening, converting, random batches, simulating.

    python benchmarks/benchmark_files.py --folder /fast/disk --share 0.1 --csv results.csv

The pixel file has the shape of NUS-WIDE TC21, (195834, 3, 224, 224) uint8 or a share of its rows, written as
MATLAB 7.3 files are: axes in MATLAB's order, a 512-byte block in front. For opening, a file of the full size
is made that holds every chunk but no bytes (the file system keeps holes), so it costs no disk. Opening and
converting run in their own processes, which report their peak memory. Rates are against a plain copy of the
same file; both the copy and the converted file are flushed to the disk before the clock stops.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cmh_data
import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, BATCH, REPEATS = 195834, 128, 5
MEASURED: list[dict[str, object]] = []


def record(case: str, way: str, seconds: list[float], ratio: object = "", **details: object) -> None:
    """Keep a measurement for the CSV file."""
    p20, p50, p80 = (round(float(value), 5) for value in np.quantile(seconds, [0.2, 0.5, 0.8]))
    MEASURED.append({
        "benchmark": "files", "case": case, "way": way, "device": "cpu", "threads": 1,
        "p20_s": p20, "p50_s": p50, "p80_s": p80, "ratio": ratio, "details": details,
    })  # fmt: skip


def write_pixels(path: Path, rows: int) -> None:
    """A file as hdf5storage and MATLAB write it, one row per chunk, uncompressed."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", userblock_size=512) as file:
        pixels = file.create_dataset("IAll", (rows, 3, 224, 224), "u1", chunks=(1, 3, 224, 224))
        for start in range(0, rows, 256):
            stop = min(rows, start + 256)
            pixels[start:stop] = rng.integers(0, 256, (stop - start, 3, 224, 224), dtype=np.uint8)
        labels = np.eye(21, dtype=np.uint8)[rng.integers(0, 21, rows)]
        file["LAll"] = labels.T
        file["YAll"] = rng.integers(0, 2, (1000, rows), dtype=np.uint8)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


IN_CHILD = """
import json, resource, sys, time
import cmh_data
from pathlib import Path
from cmh_data._layouts.read import read_raw
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
own, child = (resource.getrusage(one).ru_maxrss / 1024 for one in who)
print(json.dumps({{"seconds": seconds, "megabytes": max(own, child)}}))
"""


def in_child(work: str) -> dict[str, float]:
    command = [sys.executable, "-c", IN_CHILD.format(work=work)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def repeat(run: Callable[[], object], count: int = REPEATS) -> list[float]:
    """Seconds of each of a few runs."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(seconds: list[float], per: int = 1) -> str:
    """Median and range in milliseconds."""
    low, middle, high = (
        value / per * 1e3 for value in (min(seconds), statistics.median(seconds), max(seconds))
    )
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("r+b") as written:
        os.fsync(written.fileno())


def open_per_item(path: Path, rows: np.ndarray) -> np.ndarray:
    """What the field's loaders do: open the file anew for each item."""
    out = []
    for row in rows:
        with h5py.File(path, "r") as file:
            out.append(file["IAll"][row].transpose(0, 2, 1))
    return np.stack(out)


def write_holes(path: Path, rows: int) -> None:
    """A pixel file of full length whose chunks are all there but were never written."""
    with h5py.File(path, "w", userblock_size=512) as file:
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        file.create_dataset("IAll", (rows, 3, 224, 224), "u1", chunks=(1, 3, 224, 224), dcpl=early)


def opening(folder: Path) -> None:
    path = folder / "bench_holes.mat"
    write_holes(path, ROWS)
    reports = [in_child(f"read_raw(Path({str(path)!r})).image.shape") for _ in range(REPEATS)]
    seconds = spread([report["seconds"] for report in reports])
    peak = max(report["megabytes"] for report in reports)
    record("open lazily", "ours", [report["seconds"] for report in reports], peak_mb=round(peak))
    print(f"open lazily, {path.stat().st_size / 1e9:.1f} GB: {seconds}, peak {peak:.0f} MB")
    path.unlink()


def converting(source: Path, target: Path, rows: int) -> None:
    copied = source.with_name("bench_copy.mat")
    work = (
        "import numpy as np; from cmh_data._layouts.from_raw import from_raw; "
        f"raw = read_raw(Path({str(source)!r})); raw.train, raw.query = np.arange(1, {rows}), np.arange(1); "
        f"cmh_data.save(from_raw(raw), {str(target)!r})"  # flushes by itself
    )

    def copy() -> None:
        shutil.copyfile(source, copied)
        flush(copied)

    copying, converted, whole, megabytes = [], [], [], []
    for _ in range(REPEATS):  # in turn, so that both meet the same disk
        copying += repeat(copy, 1)
        copied.unlink()
        target.unlink(missing_ok=True)
        start = time.perf_counter()
        report = in_child(work)
        whole.append(time.perf_counter() - start)
        converted.append(report["seconds"])
        megabytes.append(report["megabytes"])
    share = statistics.median(copying) / statistics.median(converted)
    record("convert", "plain copy", copying, 1, rows=rows)
    record("convert", "ours", converted, round(share, 3), rows=rows, peak_mb=round(max(megabytes)))
    print(f"plain copy {spread(copying)}, convert {spread(converted)}: {share:.0%} of the copy's speed")
    print(f"the converting process from start to end: {spread(whole)}")
    print(f"convert: peak {max(megabytes):.0f} MB")


def batches(source: Path, target: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    chosen = [rng.integers(0, rows, BATCH) for _ in range(4)]
    lazy = cmh_data.load(target).image
    np.testing.assert_array_equal(lazy[chosen[0]], open_per_item(source, chosen[0]))
    ours = repeat(lambda: [lazy[batch] for batch in chosen])
    field = repeat(lambda: [open_per_item(source, batch) for batch in chosen])
    times = statistics.median(field) / statistics.median(ours)
    record("four random batches", "a file opened for each item", field, 1, batch=BATCH)
    record("four random batches", "ours", ours, round(times, 2), batch=BATCH)
    print(f"random batch of {BATCH}: ours {spread(ours, 4)}, theirs {spread(field, 4)}: {times:.1f} x")


def simulating(folder: Path, rows: int) -> None:
    path = folder / "bench_simulated.h5"
    start = time.perf_counter()
    cmh_data.save(cmh_data.simulate("nuswide-tc21", n=rows), path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record("simulate and save", "ours", [seconds], rows=rows, peak_mb=round(peak))
    print(f"simulate and save {rows} x 4096: {seconds:.1f} s, {path.stat().st_size / 1e9:.1f} GB")
    print(f"simulate: peak {peak:.0f} MB")
    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--share", type=float, default=0.1, help="of the rows of the pixel file")
    parser.add_argument("--only", choices=["pixels", "simulate"])
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    options = parser.parse_args()
    if options.only != "pixels":
        simulating(options.folder, ROWS)
    if options.only != "simulate":
        pixels(options)
    if options.csv:
        append(MEASURED, options.csv)


def pixels(options: argparse.Namespace) -> None:
    rows = int(ROWS * options.share)
    source, target = options.folder / "bench_source.mat", options.folder / "bench_target.h5"
    write_pixels(source, rows)
    print(
        f"pixel file: {rows} rows, {source.stat().st_size / 1e9:.1f} GB, {options.share:.0%} of NUS-WIDE TC21"
    )
    opening(options.folder)
    converting(source, target, rows)
    batches(source, target, rows)
    for path in (source, target):
        path.unlink()


if __name__ == "__main__":
    main()
