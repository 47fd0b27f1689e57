"""Train AMSH and MTFH as the original programs were run and set their mAP beside the originals'.

    uv run --with scipy python tools/fidelity_unpaired.py SHARED OUT [options of umml reproduce]

SHARED holds `data/{wikipedia,webnews}.npz` and `reference/`. The grid is `fidelity/unpaired.toml`, the
originals' means and deviations over seeds are `fidelity/unpaired.csv`. OUT is a folder of `umml reproduce`,
so that an interrupted comparison continues. Prints a Markdown table of the runs that are complete.

Nothing is missing, the whole set of training rows is ranked; ties are expected here, and in the originals in
the order of a shuffled database.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
from pathlib import Path

from fidelity import FILES, GRIDS, spread, write_in_reference_order

Key = tuple[str, str, str, str]  # data set, method and database, bits, task


def originals() -> dict[Key, tuple[float, float | None, int]]:
    """Mean, deviation and number of seeds of the original programs."""
    with (GRIDS / "unpaired.csv").open() as file:
        return {
            (row["dataset"], row["method"], row["bits"], row["task"]): (
                float(row["mean"]),
                float(row["sd"]) if row["sd"] else None,
                int(row["seeds"]),
            )
            for row in csv.DictReader(file)
        }


def ours(runs: Path) -> dict[Key, list[float]]:
    """Values of the complete runs, by seed."""
    found: dict[Key, list[float]] = {}
    with runs.open() as file:
        for row in csv.DictReader(file):
            for task in ("i2t", "t2i"):
                key = (row["dataset"], row["method"], row["bits"], task)
                found.setdefault(key, []).append(float(row[f"last_{task}"]))
    return found


def print_table(found: dict[Key, list[float]]) -> None:
    """Print each value; "in sd" divides by the larger of both spreads, or by the one that is known."""
    print("| data | method | bits | task | ours | sd | seeds | original | sd | seeds | difference | in sd |")
    print("|" + "---|" * 12)
    known = originals()
    for key, values in found.items():
        mean, deviation = statistics.mean(values), spread(values)
        mine = f"{mean:.4f} | {'' if deviation is None else f'{deviation:.4f}'} | {len(values)}"
        if key not in known:
            print(f"| {' | '.join(key)} | {mine} | | | | | |")
            continue
        theirs, their_deviation, seeds = known[key]
        yardstick = max(deviation or 0, their_deviation or 0)
        ratio = f"{abs(mean - theirs) / yardstick:.1f}" if yardstick else ""
        their_sd = "" if their_deviation is None else f"{their_deviation:g}"
        print(
            f"| {' | '.join(key)} | {mine} | {theirs:g} | {their_sd} | {seeds} "
            f"| {mean - theirs:+.4f} | {ratio} |"
        )


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
    command = [
        "umml",
        "reproduce",
        str(GRIDS / "unpaired.toml"),
        *data,
        "--out",
        str(folder / "grid"),
        *options,
    ]
    status = subprocess.run(command, check=False).returncode
    if (folder / "grid" / "runs.csv").exists() and "--plan" not in options:
        print_table(ours(folder / "grid" / "runs.csv"))
    return status


if __name__ == "__main__":
    sys.exit(main())
