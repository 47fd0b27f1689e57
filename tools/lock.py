"""Write or check requirements.lock: what the workspace resolves to, with hashes and without addresses."""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
EXPORT = [
    "uv", "export", "--quiet", "--format=requirements-txt", "--no-header",
    "--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace",
]  # fmt: skip


def main() -> int:
    """Compare, or with `--write` replace; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring requirements.lock up to date")
    write = parser.parse_args().write
    resolved = subprocess.run(EXPORT, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    if write:
        LOCK.write_text(resolved)
        return 0
    locked = LOCK.read_text() if LOCK.exists() else ""
    if locked == resolved:
        print("requirements.lock is what the workspace resolves to")
        return 0
    difference = difflib.unified_diff(
        locked.splitlines(), resolved.splitlines(), "requirements.lock", "resolved", lineterm=""
    )
    print(
        "\n".join(
            [*list(difference)[:60], "requirements.lock is out of date: run `uv run nox -s lock -- --write`"]
        )
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
