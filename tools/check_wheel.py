"""Fail unless every wheel in a folder carries its licence, its type marker and no tests."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def problems(wheel: Path) -> list[str]:
    """What is wrong with one wheel, a phrase each."""
    names = zipfile.ZipFile(wheel).namelist()
    found = []
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        found.append("no LICENSE")
    if not any(name.endswith("/py.typed") for name in names):
        found.append("no py.typed")
    code = [name for name in names if not name.endswith((".template", "/"))]  # of which packages are made
    if any("tests/" in name or "benchmarks/" in name for name in code):
        found.append("tests or benchmarks inside")
    return found


def main(folder: Path) -> int:
    """Check each wheel of `folder`; return the exit status."""
    wheels = sorted(folder.glob("*.whl"))
    report = {wheel.name: problems(wheel) for wheel in wheels}
    for name, found in report.items():
        print(f"{name}: {', '.join(found) or 'whole'}")
    return int(not wheels or any(report.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
