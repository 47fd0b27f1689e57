import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

UMML = Path(sys.executable).with_name("umml")
SMALL = ("--set", "layer_widths=[48, 32, 16]", "--set", "epochs=4")


@pytest.fixture
def umml(tmp_path):
    """Run the command as a user does, in an empty folder."""

    def run(*arguments, check=True, **environment):
        done = subprocess.run(
            [UMML, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "COLUMNS": "200", **environment},
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def start_umml(tmp_path):
    """Start the command in a process group of its own; whatever is left of it ends with the test."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [UMML, *map(str, arguments)],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def make_arrays(n=60):
    """Items of three classes whose image and text carry the class."""
    generator = np.random.default_rng(7)
    labels = np.eye(3, dtype=np.uint8)[np.arange(n) % 3]
    return {
        "image": (labels @ generator.normal(size=(3, 12)) + generator.normal(size=(n, 12))).astype(
            np.float32
        ),
        "text": (labels @ generator.normal(size=(3, 8)) + generator.normal(size=(n, 8))).astype(np.float32),
        "labels": labels,
        "train": np.arange(n - 20),
        "query": np.arange(n - 10, n),
    }


@pytest.fixture
def arrays():
    return make_arrays()


GRID = """
title = "A small grid"
data = ["small"]
table = "cells"
seeds = 2
[methods.dadh]
options = { bits = 16, layer_widths = [8, 8, 8], epochs = 3, batch_size = 20 }
evaluate_every = 1
[cells]
paired = [0]
UI = [40, 100]
UT = [40]
UIT = [40]
SD = [40]
untrained = [0]
"""
N_RUNS = 14


def prepare(folder):
    np.savez(folder / "small.npz", **make_arrays())
    (folder / "grid.toml").write_text(GRID)


def run(folder, *arguments, check=True):
    done = subprocess.run(
        [UMML, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def written(out):
    """What a reader sees: numbers and tables, without the times of the runs."""
    files = [out / "summary.csv", out / "runs.csv", *sorted((out / "tables").iterdir())]
    return {file.name: file.read_bytes() for file in files}


def read_rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


SMALL_GRID = (
    "reproduce",
    "grid.toml",
    "--data",
    "small=small.npz",
    "--checkpoint-minutes",
    "0",
    "--workers",
    "1",
)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The output folder of a small grid that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(folder)
    done = run(folder, *SMALL_GRID[:-2])  # two workers where there are two cores; the tests below have one
    return folder / "umml-reproduce", done.stdout


@pytest.fixture
def small(tmp_path):
    prepare(tmp_path)
    return tmp_path
