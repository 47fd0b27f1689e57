"""Fail unless the lowest declared version of each dependency of a package is the one installed here."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def main(folder: Path) -> int:
    """Compare every `name>=floor` of a package with what is installed here; return the exit status."""
    status = 0
    for text in tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]:
        requirement = Requirement(text)
        floors = [Version(part.version) for part in requirement.specifier if part.operator == ">="]
        if len(floors) != 1:
            print(f"{text}: declare exactly one lowest version")
            status = 1
            continue
        installed = Version(version(requirement.name))
        same = installed.release[: len(floors[0].release)] == floors[0].release
        verdict = "" if same else "  <- not the lowest"
        print(f"{requirement.name}: declared {floors[0]}, installed {installed}{verdict}")
        status |= not same
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
