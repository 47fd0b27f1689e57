"""A method outside this repository: made by one command, installed, listed and trained."""

import json
import os
import subprocess
import sys

import pytest
from running import UMML


@pytest.fixture
def installed(umml, tmp_path):
    """The folder of a new package, and a function that runs a program where it is installed."""
    printed = umml("new-method", "near-pairs").stdout
    assert "umml train emoji --method near-pairs --preset small" in printed
    site = tmp_path / "site"
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--offline", "--no-deps", f"--target={site}", "./near-pairs"],  # noqa: S607
        cwd=tmp_path,
        check=True,
    )

    def run(*command):
        environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
        done = subprocess.run(
            [*map(str, command)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return tmp_path / "near-pairs", run


def test_it_is_listed_trained_and_better_than_chance(installed, tmp_path):
    _, run = installed
    assert "near-pairs" in run(UMML, "methods")
    assert "temperature" in run(UMML, "methods", "near-pairs")
    train = (UMML, "train", "emoji", "--method", "near-pairs", "--preset", "small", "--unpaired-images", 20)
    run(*train, "--out", "trained")
    run(*train, "--epochs", 1, "--set", "learning_rate=1e-12", "--out", "untrained")
    (trained,), (untrained,) = (
        [json.loads(path.read_text()) for path in (tmp_path / folder).rglob("result.json")]
        for folder in ("trained", "untrained")
    )
    for task, value in trained["map"].items():
        assert value > untrained["map"][task] + 0.05


def test_it_keeps_the_contract_in_under_sixty_lines(installed):
    folder, run = installed
    lines = [line for path in folder.rglob("*.*") if path.is_file() for line in path.read_text().splitlines()]
    assert sum(bool(line.strip()) for line in lines) < 60
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Close Pairs", "NAME must be lower-case letters, digits and hyphens"),
        ("../elsewhere", "NAME must be lower-case letters, digits and hyphens"),
        ("class", "NAME must be lower-case letters, digits and hyphens"),
        ("dadh", "A method or a Python module called dadh is installed already"),
        ("json", "A method or a Python module called json is installed already"),
        ("there", "there exists already; give another --out"),
    ],
)
def test_bad_names_are_refused_and_nothing_is_written(umml, tmp_path, name, message):
    (tmp_path / "there").mkdir()
    done = umml("new-method", name, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
