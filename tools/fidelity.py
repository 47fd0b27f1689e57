"""Train every method in the cells of the reference runs and set its mAP beside the original programs'.

    uv run --with scipy python tools/fidelity.py SHARED OUT [options of umml reproduce]

SHARED holds `data/{wikipedia,webnews}.npz` and `reference/`. The grids are `fidelity/*.toml`. OUT is a
folder of `umml reproduce`, so that an interrupted comparison continues. Prints a Markdown table of the runs
that are complete.

The rows stand in the order in which the original programs saw them. Values are of the last epoch, over the
whole ranking, with the expected value over the order of ties. The same rows are unpaired, those of the last,
partial block of a hundred training rows included.
"""

from __future__ import annotations

import csv
import math
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t as student_t

GRIDS = Path(__file__).parent / "fidelity"
FILES = {"wiki": "wikipedia", "webnews": "webnews"}
# Names of the settings in the reference where they are not the plain ones.
VARIANTS = {("wiki", "jdsh"): "std"}

Cell = tuple[str, str, str, str]  # data set, method, cell, task


def write_in_reference_order(shared: Path, name: str, target: Path) -> None:
    """Write a data set with the training rows first, both parts in the order of the reference."""
    with (
        np.load(shared / "data" / f"{FILES[name]}.npz") as data,
        np.load(shared / "reference" / f"train_order_{FILES[name]}.npz") as order,
    ):
        n_train = len(order["train_rows"])
        rows = np.concatenate((order["train_rows"], order["query_rows"]))
        np.savez(
            target,
            **{key: data[key][rows] for key in ("image", "text", "labels")},
            class_names=data["class_names"],
            train=np.arange(n_train),
            query=np.arange(n_train, len(rows)),
        )


def originals(shared: Path) -> dict[Cell, list[float]]:
    """Values of the original programs, one for each of their seeds."""
    with (shared / "reference" / "original_programs.csv").open() as file:
        return {
            (row["dataset"], row["method"].lower(), row["cell"], row["task"]): [
                float(value) for value in row["values"].split()
            ]
            for row in csv.DictReader(file)
            if (row["ties"], row["epoch_kind"]) == ("expected", "last")
            and row["variant"] == VARIANTS.get((row["dataset"], row["method"].lower()), "")
        }


def ours(runs: Path) -> dict[Cell, list[float]]:
    """Values of the complete runs, by seed."""
    found: dict[Cell, list[float]] = {}
    with runs.open() as file:
        for row in csv.DictReader(file):
            percent = "" if row["percent"] == "0" else row["percent"]
            for task in ("i2t", "t2i"):
                cell = (row["dataset"], row["method"], row["scheme"] + percent, task)
                found.setdefault(cell, []).append(float(row[f"last_{task}"]))
    return found


def spread(values: list[float]) -> float | None:
    """Standard deviation, None of a single value."""
    return statistics.stdev(values) if len(values) > 1 else None


def print_table(found: dict[Cell, list[float]], expected: dict[Cell, list[float]]) -> None:
    """Print each cell; "in sd" divides by the originals' spread, or by ours where they have one seed."""
    print("| data | method | cell | task | ours | sd | seeds | original | sd | seeds | difference | in sd |")
    print("|" + "---|" * 12)
    inside, by_chance = [], []
    for cell in sorted(found.keys() & expected.keys()):
        (mine, my_sd), (theirs, their_sd) = (
            (statistics.mean(values), spread(values)) for values in (found[cell], expected[cell])
        )
        yardstick = my_sd if their_sd is None else their_sd
        difference = mine - theirs
        ratio = abs(difference) / yardstick if yardstick else None
        if yardstick is not None:
            inside.append(ratio <= 2 if ratio is not None else abs(difference) < 5e-4)
            by_chance.append(chance_outside(found[cell], expected[cell]) if yardstick else 0)
        sds = ["" if sd is None else f"{sd:.4f}" for sd in (my_sd, their_sd)]
        print(
            f"| {' | '.join(cell)} | {mine:.4f} | {sds[0]} | {len(found[cell])} | {theirs:.4f} | {sds[1]} "
            f"| {len(expected[cell])} | {difference:+.4f} | {'' if ratio is None else f'{ratio:.1f}'} |"
        )
    print(
        f"\n{sum(inside)} of {len(inside)} values with a spread lie within two standard deviations.", end=" "
    )
    print(f"If nothing differed but the seeds, {len(inside) - sum(by_chance):.0f} would be expected to.")


def chance_outside(found: list[float], expected: list[float]) -> float:
    """How often means of samples from one normal distribution lie more than two "sd" apart.

    The yardstick is the spread of few seeds, so the difference of the means over it is Student's t times the
    root of the sum of the seeds' reciprocals.
    """
    n_yardstick = len(found) if len(expected) == 1 else len(expected)
    limit = 2 / math.sqrt(1 / len(found) + 1 / len(expected))
    return float(2 * student_t.sf(limit, n_yardstick - 1))


def main() -> int:
    """Run what is not complete yet and print the comparison."""
    shared, out, *options = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    data = []
    for name in FILES:
        path = folder / f"{name}.npz"
        if not path.exists():
            write_in_reference_order(Path(shared), name, path)
        data += ["--data", f"{name}={path}"]
    grids = [str(GRIDS / f"{name}.toml") for name in FILES]
    command = ["umml", "reproduce", *grids, *data, "--out", str(folder / "grid"), *options]
    status = subprocess.run(command, check=False).returncode
    if (folder / "grid" / "runs.csv").exists() and "--plan" not in options:
        print_table(ours(folder / "grid" / "runs.csv"), originals(Path(shared)))
    return status


if __name__ == "__main__":
    sys.exit(main())
