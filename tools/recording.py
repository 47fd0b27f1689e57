"""Benchmark results of packages without torch in one form: a row for each measurement, in a CSV file."""

from __future__ import annotations

import csv
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = (
    "date", "benchmark", "case", "way", "device", "processor", "threads", "p20_s", "p50_s", "p80_s", "ratio",
    "details", "versions",
)  # fmt: skip
PACKAGES = (
    "umml-cli", "cmh-data", "cmh-features", "cmh-metrics", "cmh-search", "cmh-train", "cmh-unpair",
    "h5py", "numpy", "numba", "torch", "torchmetrics", "scikit-learn", "faiss-cpu",
)  # fmt: skip


CPUINFO = Path("/proc/cpuinfo")


def append(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Add measurements of today, on this processor and with these versions.

    Args:
        rows: `benchmark`, `case`, `way`, `device`, `threads`, the quantiles of the wall time in seconds,
            `ratio` (how many times as fast as the baseline of the benchmark) and `details` by name.
        path: the file, made if there is none.
    """
    common = {"date": datetime.now(UTC).date(), "processor": processor_name(), "versions": versions()}
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        for row in rows:
            details = "; ".join(f"{name} {value}" for name, value in row["details"].items())
            writer.writerow({**common, **row, "details": details})


def processor_name() -> str:
    """Return the processor's name, with family and model where Linux says them, as `cmh_testing` does."""
    info = CPUINFO
    facts: dict[str, str] = {}
    for line in info.read_text().splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.processor() or platform.machine()
    kind = [f"{key.removeprefix('cpu ')} {facts[key]}" for key in ("cpu family", "model") if key in facts]
    return f"{name} ({', '.join(kind)})" if kind else name


def versions() -> str:
    """Return the versions of what is compared."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return "; ".join(found)
