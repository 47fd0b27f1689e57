"""What Linux says of processors."""

import platform

import pytest
from cmh_train._processor import processor_facts

TWO = """processor\t: 0
vendor_id\t: GenuineIntel
flags\t\t: fpu sse
processor\t: 1
vendor_id\t: GenuineIntel
flags\t\t: fpu avx
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vendor_id", {"GenuineIntel"}),
        ("flags", {"fpu", "sse", "avx"}),
        ("vendor", set()),
        ("Features", set()),
    ],
)
def test_the_words_behind_a_name(tmp_path, name, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(TWO)
    assert processor_facts(name, path) == expected


def test_nothing_is_known_without_linux(tmp_path):
    assert processor_facts("vendor_id", tmp_path / "cpuinfo") == set()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux", reason="Linux on x86 says it"
)
def test_this_processor_has_a_vendor():
    assert len(processor_facts("vendor_id")) == 1
