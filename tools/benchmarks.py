"""Run every benchmark small, and say which ratio moved since it was recorded on the same processor.

    uv run nox -s benchmarks -- [NAME ...] [--record]

A package says how each of its scripts is run small, in `[tool.benchmarks]` of its `pyproject.toml`.
Compared are ratios to the baseline in the same run, since seconds say nothing between two machines, with
those in the package's `benchmarks/small.csv` that have the same case, way, device, processor and threads. A
ratio moved if it lies outside all that were recorded by more than the spread of the measurements. It is a
report, never a verdict: the status is 1 only where a script fails. `--record` adds the new rows to the
files.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
Key = tuple[str, ...]
KEY = ("benchmark", "case", "way", "device", "processor", "threads")


@dataclass(frozen=True)
class Script:
    """A benchmark and its arguments for a small run."""

    path: Path
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """Package and script: `cmh-jdsh/benchmark_step`."""
        return f"{self.path.parents[1].name}/{self.path.stem}"

    @property
    def recorded(self) -> Path:
        """Where small runs are recorded."""
        return self.path.with_name("small.csv")


@dataclass(frozen=True)
class Moved:
    """A ratio, what was recorded of it, and the spread.

    Args:
        key: benchmark, case, way, device, processor, threads.
        ratio: of the new run.
        low: smallest one recorded.
        high: largest one recorded.
        spread: relative spread within the runs.
    """

    key: Key
    ratio: float
    low: float
    high: float
    spread: float

    @property
    def factor(self) -> float:
        """The new ratio over the nearest recorded one; 1 between them."""
        return self.ratio / min(max(self.ratio, self.low), self.high)

    @property
    def beyond_spread(self) -> bool:
        """Whether it lies outside by more than the spread."""
        return abs(math.log(self.factor)) > math.log1p(self.spread)


def scripts(root: Path = ROOT) -> list[Script]:
    """Return every script that a package says how to run small."""
    found = []
    for project in sorted([*root.glob("packages/*/pyproject.toml"), *root.glob("apps/*/pyproject.toml")]):
        table = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("benchmarks", {})
        found += [
            Script(project.parent / "benchmarks" / name, tuple(arguments))
            for name, arguments in table.items()
        ]
    return found


def compare(new: Iterable[dict[str, str]], recorded: Iterable[dict[str, str]]) -> Iterator[Moved]:
    """Yield each ratio of a new run that was recorded before."""
    before: dict[Key, list[dict[str, str]]] = {}
    for row in recorded:
        before.setdefault(_key(row), []).append(row)
    for row in new:
        known = before.get(_key(row), [])
        ratios = [float(one["ratio"]) for one in known if _has_ratio(one)]
        if _has_ratio(row) and ratios:
            spread = max(_spread(one) for one in [row, *known])
            yield Moved(_key(row), float(row["ratio"]), min(ratios), max(ratios), spread)


def describe_new(new: Iterable[dict[str, str]], recorded: Iterable[dict[str, str]]) -> Iterator[str]:
    """Say in a line each ratio that was not recorded before on this processor with these threads."""
    known = {_key(row) for row in recorded if _has_ratio(row)}
    for row in new:
        if _has_ratio(row) and _key(row) not in known:
            yield f"new    {row['case']}, {row['way']}: {float(row['ratio']):.2f}x, nothing recorded before"


def _has_ratio(row: dict[str, str]) -> bool:
    """Whether the row was set against a baseline; NaN stands where there was none to run."""
    return bool(row["ratio"]) and math.isfinite(float(row["ratio"]))


def _key(row: dict[str, str]) -> Key:
    return tuple(row[name] for name in KEY)


def _spread(row: dict[str, str]) -> float:
    """From the median to the farther of the outer quantiles, relative to it."""
    low, middle, high = (float(row[name]) for name in ("p20_s", "p50_s", "p80_s"))
    return max(high / middle - 1, 1 - low / middle) if middle else 0.0


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def add_rows(rows: list[dict[str, str]], path: Path) -> None:
    """Append rows to a CSV file."""
    known = path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        if not known:
            writer.writeheader()
        writer.writerows(rows)


def run(script: Script) -> list[dict[str, str]] | None:
    """Run a script small and return its rows; None where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.csv"
        command = [sys.executable, str(script.path), *script.arguments, "--csv", str(out)]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
        if done.returncode:
            print(f"{script.name} failed:\n{done.stdout}{done.stderr}", flush=True)
            return None
        return read_rows(out)


def describe(moved: Moved) -> str:
    """Say a ratio in one line."""
    before = f"{moved.low:.2f}" if moved.low == moved.high else f"{moved.low:.2f} to {moved.high:.2f}"
    sign = "MOVED " if moved.beyond_spread else "      "
    case = f"{moved.key[1]}, {moved.key[2]}"
    return f"{sign} {case}: {moved.ratio:.2f}x, before {before}x, spread {100 * moved.spread:.0f}%"


def main() -> None:
    """Run what was asked for, and print every ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of packages or scripts; none: all")
    parser.add_argument("--record", action="store_true", help="add the new rows to small.csv")
    chosen = parser.parse_args()
    every = scripts()
    unknown = [name for name in chosen.names if not any(_called(one, name) for one in every)]
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]}; there are {', '.join(one.name for one in every)}")
    failed, moved_in = False, []
    for script in every:
        if chosen.names and not any(_called(script, name) for name in chosen.names):
            continue
        print(script.name, flush=True)
        rows = run(script)
        if rows is None:
            failed = True
            continue
        recorded = read_rows(script.recorded)
        found = list(compare(rows, recorded))
        for line in (*map(describe, found), *describe_new(rows, recorded)):
            print(line, flush=True)
        moved_in += [script.name for moved in found if moved.beyond_spread]
        if chosen.record and rows:
            add_rows(rows, script.recorded)
    where = f": {', '.join(dict.fromkeys(moved_in))}" if moved_in else ""
    print(f"{len(moved_in)} ratios moved beyond their spread{where}")
    sys.exit(failed)


def _called(script: Script, name: str) -> bool:
    return name in {script.name, script.path.parents[1].name}


if __name__ == "__main__":
    main()
