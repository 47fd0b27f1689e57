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
        "image": (labels @ generator.normal(size=(3, 12)) + generator.normal(size=(n, 12))).astype(np.float32),
        "text": (labels @ generator.normal(size=(3, 8)) + generator.normal(size=(n, 8))).astype(np.float32),
        "labels": labels,
        "train": np.arange(n - 20),
        "query": np.arange(n - 10, n),
    }


@pytest.fixture
def arrays():
    return make_arrays()
