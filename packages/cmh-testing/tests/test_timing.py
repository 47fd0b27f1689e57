import csv
import platform
import time

import pytest
from cmh_testing import _timing, time_ways


def test_ways_are_timed_in_turn_and_recorded(tmp_path, capsys):
    calls, record = [], tmp_path / "results.csv"
    ways = {
        "slow": lambda: (calls.append("slow"), time.sleep(0.02)),
        "fast": lambda: (calls.append("fast"), time.sleep(0.002)),
    }
    for _ in range(2):
        ratios = time_ways(
            ways, benchmark="step", case="wait", repeats=3, packages=("pytest",), record=record
        )
    assert calls == ["slow", "fast"] * 8
    assert ratios["slow"] == 1
    assert ratios["fast"] > 2
    assert "wait: fast" in capsys.readouterr().out
    with record.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["way"] for row in rows] == ["slow", "fast"] * 2
    assert all(float(row["p20_s"]) <= float(row["p50_s"]) <= float(row["p80_s"]) for row in rows)
    assert rows[0]["versions"].startswith("pytest ")


def test_too_few_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats must be at least 2, but it is 1"):
        time_ways({"a": list}, benchmark="step", case="wait", repeats=1)


def test_long_calls_need_no_warm_up():
    calls = []
    time_ways({"a": lambda: calls.append(1)}, benchmark="step", case="wait", repeats=2, warm_up=False)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("model name\t: AMD EPYC\ncpu family\t: 26\nmodel\t\t: 2\n", "AMD EPYC (family 26, model 2)"),
        ("model name\t: Some Core\n\nmodel name\t: Some Core\n", "Some Core"),
        (None, platform.processor() or platform.machine()),
    ],
)
def test_kinds_of_processor_with_one_name_are_told_apart(said, name, tmp_path, monkeypatch):
    place = tmp_path / "cpuinfo"
    if said is not None:
        place.write_text(said)
    monkeypatch.setattr(_timing, "_CPUINFO", place)
    assert _timing._processor_name() == name
