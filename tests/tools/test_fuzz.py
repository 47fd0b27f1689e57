"""The fuzzer sees every kind of bad end, and a few inputs of every registered kind end well."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
PLANTED = """
import os, subprocess, time, warnings
from pathlib import Path
import numpy as np
from cmh_files import DataError
from fuzz import Kind, register

def make(folder):
    (folder / "in.bin").write_bytes(bytes(range(100)))

def success(folder):
    (folder / "out").write_bytes(b"done")

def refused(folder):
    raise DataError("it is no data")

def raw(folder):
    int("no number")

def warned(folder):
    warnings.warn("look here")

def crash(folder):
    os.abort()

def hang(folder):
    time.sleep(600)

def memory(folder):
    np.ones(300 << 17).sum()

def process(folder):
    subprocess.run(["true"])

def elsewhere(folder):
    Path(folder.parent / "elsewhere").write_text("x")

def leftover(folder):
    (folder / "out.part").write_text("x")
    raise DataError("it is no data")

for name, work in list(globals().items()):
    if callable(work) and getattr(work, "__module__", "").startswith("fuzz_kinds_") and name != "make":
        register(Kind(name=name, make=make, feed=work, outputs=("out",)))
register(
    Kind(name="contained", make=make, feed=refused, quick=crash),
    Kind(name="not-contained", make=make, feed=raw, quick=hang),
)
"""


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", TOOLS / "fuzz.py")
    module = sys.modules["fuzz"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fuzz"]


@pytest.fixture
def planted(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "KINDS", {})
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "planted.py").write_text(PLANTED)
    fuzz.load_kinds(folder)

    def feed(name):
        limits = fuzz.Limits(seconds=1 if name == "hang" else 30, megabytes=100)
        return fuzz.fuzz(fuzz.KINDS[name], seed=1, count=2, limits=limits, keep=tmp_path, kinds=folder)

    return feed


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("success", "success"),
        ("refused", "refused"),
        ("raw", "raw exception"),
        ("warned", "raw exception"),
        ("crash", "crash"),
        ("hang", "hang"),
        ("memory", "memory"),
        ("process", "process"),
        ("elsewhere", "file elsewhere"),
        ("leftover", "leftover"),
        ("contained", "refused"),
        ("not-contained", "raw exception"),
    ],
)
def test_every_end_is_seen_and_bad_inputs_are_kept(planted, tmp_path, name, verdict):
    tally, failures = planted(name)
    assert tally[verdict] >= 1
    assert tally.total() == 2
    assert set(tally) <= {verdict, "success"}  # memory that was freed may be used again without growing
    for failure in failures:
        assert failure.verdict == verdict
        kept = tmp_path / f"{name}-1-{failure.number}" / "in.bin"
        assert kept.read_bytes() != bytes(range(100)) or name == "success"


def test_an_input_depends_on_seed_and_number_alone(fuzz, tmp_path):
    (tmp_path / "in.bin").write_bytes(bytes(range(256)))
    kind = fuzz.Kind(name="any", make=None, feed=None)
    whole = [content for _, _, content in fuzz.inputs(kind, tmp_path, seed=3, numbers=range(20))]
    alone = [content for _, _, content in fuzz.inputs(kind, tmp_path, seed=3, numbers=range(12, 13))]
    assert whole[12] == alone[0]
    assert len(set(whole)) > 15
    others = [content for _, _, content in fuzz.inputs(kind, tmp_path, seed=4, numbers=range(20))]
    assert whole != others


def test_two_kinds_of_one_name_are_refused(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "KINDS", {})
    kind = fuzz.Kind(name="any", make=None, feed=None)
    with pytest.raises(ValueError, match="the kind any is registered twice"):
        fuzz.register(kind, kind)


def test_a_few_inputs_of_every_kind_end_well(fuzz, capfd):
    status = fuzz.main(["--inputs", "6", "--seed", "7"])
    printed = capfd.readouterr().out
    assert status == 0, printed
    assert printed.count("none") >= 10
