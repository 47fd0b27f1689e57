"""Install each package alone from built wheels and run its README: `rehearse.py DIST PACKAGE...`.

Each gets a fresh environment of the Python that runs this, outside of the repository; the wheels in DIST play
the index that holds our packages. It prints a table with the number of distributions, their size on disk and
the time of the import (the shortest of three, without the start of Python), and fails where a README does.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = ["| package | Python | distributions | MB | import, s | README |", "|---|---|---|---|---|---|"]


def folder_megabytes(folder: Path) -> float:
    """Return the size of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def seconds(command: list[str], folder: Path) -> float:
    """Return the shortest of three times of a command."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def readme_program(text: str) -> str:
    """Return the Python blocks of a README, one after another."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))


def rehearse(package: str, wheels: Path) -> tuple[str, bool]:
    """Install one package and run its README; return its line of the table and whether that went well."""
    (readme,) = ROOT.glob(f"*/{package}/README.md")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment, python = folder / "environment", folder / "environment" / "bin" / "python"
        command = ["uv", "venv", "--quiet", "--python", sys.executable, str(environment)]
        subprocess.run(command, check=True)
        # Run in ROOT, so that the pins hold.
        command = ["uv", "pip", "install", "--quiet", "--python", str(python), "--find-links", str(wheels)]
        subprocess.run([*command, "--reinstall-package", package, package], cwd=ROOT, check=True)
        command = ["uv", "pip", "list", "--quiet", "--format=freeze", "--python", str(python)]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        module = package.replace("-", "_")
        bare = seconds([str(python), "-c", "pass"], folder)
        spent = seconds([str(python), "-c", f"import {module}"], folder) - bare
        program = folder / "readme.py"
        program.write_text(readme_program(readme.read_text("utf-8")), "utf-8")
        command = [str(python), str(program)]
        went = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        verdict = "FAILS" if went.returncode else "runs"
        size = f"{folder_megabytes(environment):.0f}"
        cells = [package, version, str(len(listed)), size, f"{spent:.2f}", verdict]
        if went.returncode:
            print(went.stderr, file=sys.stderr)
        return f"| {' | '.join(cells)} |", went.returncode == 0


def main(wheels: str, *packages: str) -> int:
    """Rehearse each package; print the table; return the exit status."""
    print("\n".join(HEADING), flush=True)
    status = 0
    for package in packages:
        line, well = rehearse(package, Path(wheels).resolve())
        print(line, flush=True)
        status |= not well
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
