"""What the benchmarks of packages without torch write down of the processor."""

import platform

import pytest
import recording


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("model name\t: AMD EPYC\ncpu family\t: 25\nmodel\t\t: 17\n", "AMD EPYC (family 25, model 17)"),
        ("", platform.processor() or platform.machine()),
    ],
)
def test_family_and_model_stand_beside_the_name(said, name, tmp_path, monkeypatch):
    place = tmp_path / "cpuinfo"
    place.write_text(said)
    monkeypatch.setattr(recording, "CPUINFO", place)
    assert recording.processor_name() == name
