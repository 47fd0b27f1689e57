"""Runs an hour of a grid, and where its time goes: a process for each run against `umml reproduce`.

    uv run apps/umml-cli/benchmarks/benchmark_grid.py --repeats 3 --csv results.csv
    uv run apps/umml-cli/benchmarks/benchmark_grid.py --epochs 2 --seeds 1 --methods jdsh

The runs are those of `--methods`, preset `small`, on the built-in data set emoji: paired, UI 40 % and UIT
40 %, each with `--seeds` seeds and an evaluation every ten epochs. Both ways perform the same runs with the
same number at a time, one thread each, and write the same files:

- "a process a run": starts Python, reads the data, performs one run, ends.
- "umml reproduce": the command, with its tables, figures and report at the end.

The time of the places (runs at a time x wall time) is shared out by what the runs' files say: training,
encoding, evaluation and preparation as measured in `result.json`; "rest" is what a run takes besides, above
all writing files; "start" is the time of a place before, between and after its runs (starting Python,
imports, reading data, waiting for the last run), "end" that after the last result: tables, figures, report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from umml_cli.grid.experiment import read_experiment
from umml_cli.grid.specify import specify
from umml_cli.inputs.data_sources import open_sources

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from recording import append

CELLS = "paired = [0]\nUI = [40]\nUIT = [40]\n"
STAGES = ("preparation", "training", "encoding", "evaluation")
ONE_RUN = """
import sys, json
from umml_cli.grid.worker import GridSettings, execute_run
import torch
torch.set_num_threads(1)
specification, root = json.loads(sys.argv[1]), sys.argv[2]
settings = GridSettings(root=root, locations={"emoji": "emoji"}, checkpoint_minutes=1, keep_weights=False)
execute_run(specification, settings, lambda event: None)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=["dadh", "agah", "jdsh"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="of every method; not given: the preset's")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="runs at a time")
    parser.add_argument(
        "--ways", nargs="+", choices=("processes", "reproduce"), default=["processes", "reproduce"]
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="rows are added to it")
    chosen = parser.parse_args()
    epochs = "the preset's" if chosen.epochs is None else str(chosen.epochs)
    case = f"emoji, {' '.join(chosen.methods)}, seeds {chosen.seeds}, epochs {epochs}"
    rows = []
    for workers in chosen.workers:
        baseline = None
        for way, measure in (("processes", one_process_a_run), ("reproduce", umml_reproduce)):
            if way not in chosen.ways:
                continue
            found = [measure_in_folder(measure, chosen, workers) for _ in range(chosen.repeats)]
            walls = [one["wall"] for one in found]
            p20, p50, p80 = (round(float(value), 3) for value in np.quantile(walls, [0.2, 0.5, 0.8]))
            if way == "processes":
                baseline = p50
            row = {
                "benchmark": "grid", "case": case,
                "way": "a process a run" if way == "processes" else "umml reproduce",
                "device": "cpu", "threads": workers, "p20_s": p20, "p50_s": p50, "p80_s": p80,
                "ratio": "" if baseline is None or way == "processes" else round(baseline / p50, 3),
                "details": details(found[int(np.argsort(walls)[len(walls) // 2])], workers),
            }  # fmt: skip
            rows.append(row)
            print(workers, "at a time |", row["way"], "|", p20, p50, p80, "|", row["details"], flush=True)
    if chosen.csv:
        append(rows, chosen.csv)


def measure_in_folder(measure: Any, chosen: argparse.Namespace, workers: int) -> dict[str, float]:
    """Perform the grid in an empty folder and share its time out."""
    with tempfile.TemporaryDirectory() as folder:
        write_experiment(Path(folder, "grid.toml"), chosen)
        started, root = measure(Path(folder), workers)
        return share_out(root, started, time.time(), workers)


def write_experiment(path: Path, chosen: argparse.Namespace) -> None:
    methods = "".join(
        f'[methods.{name}]\npreset = "small"\nevaluate_every = 10\n'
        + ("" if chosen.epochs is None else f"options = {{ epochs = {chosen.epochs} }}\n")
        for name in chosen.methods
    )
    path.write_text(
        f'title = "Benchmark"\ndata = ["emoji"]\nbits = [64]\nseeds = {chosen.seeds}\n'
        f'table = "cells"\n{methods}[cells]\n{CELLS}'
    )


def umml_reproduce(folder: Path, workers: int) -> tuple[float, Path]:
    """The command as a user calls it; returns when it was started, and the folder of the runs."""
    umml = Path(sys.executable).with_name("umml")
    arguments = ["reproduce", "grid.toml", "--data", "emoji", "--workers", str(workers), "--out", "out"]
    started = time.time()
    subprocess.run([umml, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return started, folder / "out" / "runs"


def one_process_a_run(folder: Path, workers: int) -> tuple[float, Path]:
    """Each run in a process of its own; planning them is not counted."""
    runs = specify(read_experiment(folder / "grid.toml"), open_sources(["emoji"]))
    commands = [
        [sys.executable, "-c", ONE_RUN, json.dumps(run.model_dump(mode="json")), str(folder / "runs")]
        for run in runs
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.time()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda command: subprocess.run(command, check=True, env=environment), commands))
    return started, folder / "runs"


def share_out(root: Path, started: float, ended: float, workers: int) -> dict[str, float]:
    """Seconds of all places by what they went to, `wall` and `runs`."""
    folders = [path.parent for path in root.glob("*/result.json")]
    results = [json.loads((folder / "result.json").read_text()) for folder in folders]
    begun = [(folder / "specification.json").stat().st_mtime for folder in folders]
    done = [(folder / "result.json").stat().st_mtime for folder in folders]
    parts = {stage: sum(result["seconds"][stage] for result in results) for stage in STAGES}
    parts["rest"] = sum(done) - sum(begun) - sum(parts.values())
    parts["end"] = workers * (ended - max(done))
    parts["start"] = workers * (ended - started) - sum(parts.values())
    return {**parts, "wall": ended - started, "runs": len(folders), "first": min(begun) - started}


def details(parts: dict[str, float], workers: int) -> dict[str, str]:
    """Runs an hour, seconds until the first run is taken up, and the share of each part of the time."""
    total = workers * parts["wall"]
    return {
        "runs": f"{parts['runs']}",
        "runs_an_hour": f"{3600 * parts['runs'] / parts['wall']:.0f}",
        "first_run_after_s": f"{parts['first']:.1f}",
        **{f"{name}_%": f"{100 * parts[name] / total:.1f}" for name in ("start", *STAGES, "rest", "end")},
    }


if __name__ == "__main__":
    main()
