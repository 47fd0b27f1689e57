"""How the tests run the command, as a user does."""

import os
import subprocess
import sys
from pathlib import Path

UMML = Path(sys.executable).with_name("umml")
SMALL = ("--set", "layer_widths=[48, 32, 16]", "--set", "epochs=4")


def run_umml(folder, *arguments, check=True):
    """Run `umml` in a folder and return what it printed and its status."""
    done = subprocess.run(
        [UMML, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done
