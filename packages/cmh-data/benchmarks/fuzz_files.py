"""Feed changed copies of small files to `inspect` and `load`, and count what becomes of them.

    python benchmarks/fuzz_files.py --inputs 500 [--kind mat73] [--seed 1]

Each input is a good file of one container with up to eleven bytes changed or bits flipped, every fourth one
cut off as well. The only permitted ends are a report, a data set, and `DataError`. Anything else, a crash of
the process or more than a minute for one input stops the run, and the input is kept for study.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import cmh_data
import h5py
import numpy as np
import scipy.io

LONGEST_SECONDS = 60


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(24, 8)).astype(np.float32),
        "text": rng.integers(0, 2, (24, 6)).astype(np.uint8),
        "labels": np.eye(3, dtype=np.uint8)[np.arange(24) % 3],
        "train": np.arange(16),
        "query": np.arange(16, 24),
    }


def make_npz(path: Path) -> None:
    np.savez_compressed(path, **arrays())


def make_mat5(path: Path, *, compressed: bool = False) -> None:
    tables = {new: arrays()[old] for new, old in (("I_tr", "image"), ("T_tr", "text"), ("L_tr", "labels"))}
    tables |= {key.replace("_tr", "_te"): table[:8] for key, table in tables.items()}
    scipy.io.savemat(path, tables, do_compression=compressed)


def make_mat5_compressed(path: Path) -> None:
    make_mat5(path, compressed=True)


def make_hdf5(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), **arrays())
    cmh_data.save(cmh_data.load(path.with_suffix(".npz")), path)


def make_pixels(path: Path) -> None:
    """This package's own format with pixels on disk."""
    pixels = np.random.default_rng(1).integers(0, 256, (24, 3, 6, 6), dtype=np.uint8)
    np.savez(path.with_suffix(".npz"), **(arrays() | {"image": pixels}))
    cmh_data.save(cmh_data.load(path.with_suffix(".npz")), path)


def make_mat73(path: Path) -> None:
    """MATLAB 7.3: a block in front, chunked pixels, compressed words, a sparse table, a cell array."""
    tables = arrays()
    with h5py.File(path, "w", userblock_size=512) as file:
        pixels = np.random.default_rng(1).integers(0, 256, (24, 3, 6, 6), dtype=np.uint8)
        file.create_dataset("IAll", data=pixels, chunks=(1, 3, 6, 6))
        file.create_dataset("YAll", data=tables["text"].T, compression="gzip", shuffle=True)
        group = file.create_group("LAll")
        group.attrs["MATLAB_sparse"] = np.uint64(24)
        rows = np.concatenate([np.flatnonzero(column) for column in tables["labels"].T])
        group["data"], group["ir"] = np.ones(24), rows.astype(np.uint64)
        group["jc"] = np.array([0, 8, 16, 24], np.uint64)
        file["param/indexQuery"] = np.arange(1.0, 9.0)[None]
        file["param/indexDatabase"] = np.arange(9.0, 25.0)[None]
        names = [
            file.create_dataset(f"#refs#/{n}", data=np.array([[105], [109 + n % 2]], np.uint16))
            for n in range(24)
        ]
        cells = file.create_dataset(
            "ids", data=np.array([[name.ref for name in names]], dtype=h5py.ref_dtype)
        )
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


KINDS = {
    "npz": make_npz,
    "mat5": make_mat5,
    "mat5-compressed": make_mat5_compressed,
    "hdf5": make_hdf5,
    "pixels": make_pixels,
    "mat73": make_mat73,
}


def change(content: bytes, rng: np.random.Generator, number: int) -> bytes:
    """Cut off or change some bytes."""
    changed = bytearray(content)
    if number % 4 == 0:
        del changed[int(rng.integers(len(changed))) :]
    for _ in range(int(rng.integers(1, 12)) if changed else 0):
        place = int(rng.integers(len(changed)))
        flipped = changed[place] ^ (1 << int(rng.integers(8)))
        changed[place] = int(rng.integers(256)) if number % 2 else flipped
    return bytes(changed)


def feed(path: Path, seed: int, count: int) -> None:
    """In a process of its own: feed changed copies and print the counts."""
    warnings.simplefilter("error")
    content, rng = path.read_bytes(), np.random.default_rng(seed)
    tally = {"inspected": 0, "loaded": 0, "refused": 0}
    target = path.with_name(f"changed{path.suffix}")
    for number in range(count):
        target.write_bytes(change(content, rng, number))
        start = time.monotonic()
        for call, name in ((cmh_data.inspect, "inspected"), (cmh_data.load, "loaded")):
            try:
                call(target)
            except cmh_data.DataError:
                tally["refused"] += 1
            else:
                tally[name] += 1
        if time.monotonic() - start > LONGEST_SECONDS:
            sys.exit(f"input {number} of seed {seed} took longer than {LONGEST_SECONDS} s")
    print(json.dumps(tally))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=100, help="of each kind")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--feed", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.feed:
        feed(options.feed, options.seed, options.inputs)
        return
    for kind in options.kind or KINDS:
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-"))
        path = folder / "good.mat"  # the name tells nothing
        KINDS[kind](path) if kind != "npz" else KINDS[kind](path := folder / "good.npz")
        cmh_data.inspect(path)
        command = [sys.executable, __file__, "--feed", path, "--seed", str(options.seed)]
        done = subprocess.run(
            [*map(str, command), "--inputs", str(options.inputs)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{kind}: {done.stderr.strip()[-2000:]}\nthe input is kept in {folder}")
        print(f"{kind}: {options.inputs} inputs, {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
