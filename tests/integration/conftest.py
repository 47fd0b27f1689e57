import os
import subprocess
import sys
from pathlib import Path

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
