"""Time and memory of large files: opening, converting, random batches, simulating.

    python benchmarks/bench_files.py --folder /fast/disk --share 0.1

The pixel file has the shape of NUS-WIDE TC21, (195834, 3, 224, 224) uint8 or a share of its rows, written as
MATLAB 7.3 files are: axes in MATLAB's order, a 512-byte block in front. Opening and converting run in their
own processes, which report their peak memory. Rates are against a plain copy of the same file.
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

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, BATCH, REPEATS = 195834, 128, 5


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
from cmh_data._read import read_raw
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


def opening(source: Path) -> None:
    pixels = source.with_name("bench_pixels.mat")
    with h5py.File(source, "r") as file, h5py.File(pixels, "w", userblock_size=512) as out:
        file.copy("IAll", out)
    report = in_child(f"read_raw(Path({str(pixels)!r})).image.shape")
    print(f"open lazily: {report['seconds']:.2f} s, peak {report['megabytes']:.0f} MB")
    pixels.unlink()


def converting(source: Path, target: Path, rows: int) -> None:
    copied = source.with_name("bench_copy.mat")
    work = (
        "import numpy as np; from cmh_data._from_raw import from_raw; "
        f"raw = read_raw(Path({str(source)!r})); raw.train, raw.query = np.arange(1, {rows}), np.arange(1); "
        f"cmh_data.save(from_raw(raw), {str(target)!r})"
    )
    megabytes = []

    def copy() -> None:
        shutil.copyfile(source, copied)
        flush(copied)

    def convert() -> None:
        megabytes.append(in_child(work)["megabytes"])
        flush(target)

    copying, converted = [], []
    for _ in range(3):  # in turn, so that both meet the same disk
        copying += repeat(copy, 1)
        copied.unlink()
        converted += repeat(convert, 1)
    share = statistics.median(copying) / statistics.median(converted)
    print(f"plain copy {spread(copying)}, convert {spread(converted)}: {share:.0%} of the copy's speed")
    print(f"convert: peak {max(megabytes):.0f} MB")


def batches(source: Path, target: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    chosen = [rng.integers(0, rows, BATCH) for _ in range(4)]
    lazy = cmh_data.load(target).image
    np.testing.assert_array_equal(lazy[chosen[0]], open_per_item(source, chosen[0]))
    ours = repeat(lambda: [lazy[batch] for batch in chosen])
    field = repeat(lambda: [open_per_item(source, batch) for batch in chosen])
    times = statistics.median(field) / statistics.median(ours)
    print(f"random batch of {BATCH}: ours {spread(ours, 4)}, theirs {spread(field, 4)}: {times:.1f} x")


def simulating(folder: Path, rows: int) -> None:
    path = folder / "bench_simulated.h5"
    start = time.perf_counter()
    cmh_data.save(cmh_data.simulate("nuswide-tc21", n=rows), path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"simulate and save {rows} x 4096: {seconds:.1f} s, {seconds * ROWS / rows:.0f} s for {ROWS} rows")
    print(f"simulate: peak {peak:.0f} MB")
    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--share", type=float, default=0.1)
    options = parser.parse_args()
    rows = int(ROWS * options.share)
    source, target = options.folder / "bench_source.mat", options.folder / "bench_target.h5"
    write_pixels(source, rows)
    print(
        f"pixel file: {rows} rows, {source.stat().st_size / 1e9:.1f} GB, {options.share:.0%} of NUS-WIDE TC21"
    )
    opening(source)
    converting(source, target, rows)
    batches(source, target, rows)
    for path in (source, target):
        path.unlink()
    simulating(options.folder, rows)


if __name__ == "__main__":
    main()
