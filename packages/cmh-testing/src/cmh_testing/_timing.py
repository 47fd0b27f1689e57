"""Time ways of doing the same in turn, and record them in one form."""

from __future__ import annotations

import csv
import platform
import statistics
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_COLUMNS = (
    "date", "benchmark", "case", "way", "device", "processor", "threads", "p20_s", "p50_s", "p80_s", "ratio",
    "details", "versions",
)  # fmt: skip


def time_ways(
    ways: Mapping[str, Callable[[], object]],
    *,
    benchmark: str,
    case: str,
    repeats: int,
    device: str | torch.device = "cpu",
    packages: Sequence[str] = ("torch",),
    record: Path | None = None,
    warm_up: bool = True,
) -> dict[str, float]:
    """Call every way in turn, print the quantiles of their times, and append a row for each to a CSV file.

    The first call of each way warms up and is not counted, unless `warm_up` is False. On a GPU every call
    ends with waiting for it.

    Args:
        ways: what is timed, by name; the first is the baseline.
        benchmark: name of the benchmark, for example "step".
        case: what was timed, for example "training step, batch 128".
        repeats: counted calls of each way, at least 2.
        device: where the work is done.
        packages: whose versions are recorded.
        record: the CSV file, made if there is none; None: nothing is written. Its columns are `date,
            benchmark, case, way, device, processor, threads, p20_s, p50_s, p80_s, ratio, details, versions`.
        warm_up: whether each way is called once more before; False for calls that take long.

    Returns:
        How many times as fast as the baseline each way is, by medians.

    Raises:
        ValueError: if `repeats` is below 2.

    Example:
        >>> ratios = time_ways(
        ...     {"plain": list, "ours": list}, benchmark="step", case="a list", repeats=2
        ... )  # doctest: +ELLIPSIS
        a list: plain ...
        a list: ours ...
        >>> ratios["plain"]
        1.0
    """
    if repeats < 2:
        raise ValueError(f"repeats must be at least 2, but it is {repeats}")
    target = torch.device(device)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(1 - warm_up, repeats + 1):
        for way, call in ways.items():
            started = time.perf_counter(), time.process_time()
            call()
            if target.type == "cuda":
                torch.cuda.synchronize(target)
            if turn:
                seconds[way].append(time.perf_counter() - started[0])
                processor[way].append(time.process_time() - started[1])
    baseline = statistics.median(next(iter(seconds.values())))
    ratios, rows = {}, []
    for way, times in seconds.items():
        low, *_, high = statistics.quantiles(times, n=5, method="inclusive")
        middle = statistics.median(times)
        ratios[way] = baseline / middle
        took = f"{1000 * middle:.1f} ms ({1000 * low:.1f}..{1000 * high:.1f})"
        print(f"{case}: {way} {took}, {ratios[way]:.2f} times as fast")  # noqa: T201 - for scripts
        rows.append(
            {
                "date": datetime.now(UTC).date(),
                "benchmark": benchmark,
                "case": case,
                "way": way,
                "device": torch.cuda.get_device_name(target) if target.type == "cuda" else target.type,
                "processor": _processor_name(),
                "threads": torch.get_num_threads(),
                "p20_s": f"{low:.6f}",
                "p50_s": f"{middle:.6f}",
                "p80_s": f"{high:.6f}",
                "ratio": f"{ratios[way]:.4g}",
                "details": f"repeats {repeats}; cpu_p50_s {statistics.median(processor[way]):.6f}",
                "versions": _versions(packages),
            }
        )
    if record is not None:
        new = not record.exists()
        with record.open("a", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            if new:
                writer.writeheader()
            writer.writerows(rows)
    return ratios


_CPUINFO = Path("/proc/cpuinfo")


def _processor_name() -> str:
    # Virtual machines give one name to several kinds of processor, which family and model tell apart.
    info = _CPUINFO
    facts: dict[str, str] = {}
    for line in info.read_text().splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.processor() or platform.machine()
    kind = [f"{key.removeprefix('cpu ')} {facts[key]}" for key in ("cpu family", "model") if key in facts]
    return f"{name} ({', '.join(kind)})" if kind else name


def _versions(packages: Sequence[str]) -> str:
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return "; ".join(found)
