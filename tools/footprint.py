"""Measure what each package brings when it is installed alone: `footprint.py DIST PACKAGE...`.

Distributions, megabytes on disk and seconds of processor time for its import, in environments of the
rehearsal. The table goes to the standard output and, where every package was measured, into
`docs/footprint.md` between its two marks.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from affected import package_folders
from rehearse import ROOT, Environment, installed_alone, run_alone, write_index

PAGE = "docs/footprint.md"
BEGIN, END = "<!-- written by `nox -s footprint` -->\n", "<!-- end -->\n"
HEADING = [
    "| package | distributions | MB | of which PyTorch and CUDA | import, s |",
    "|---|---|---|---|---|",
]
TORCH = ("functorch", "nvidia", "torch", "torchgen", "triton")


def megabytes(folder: Path) -> float:
    """Return the size of all files below a folder, in millions of bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def processor_seconds(made: Environment, program: str) -> float:
    """Return the least processor time of three runs of a program, which other programs disturb little.

    Raises:
        RuntimeError: it fails; with its error.
    """

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(3):
        before = spent()
        went = run_alone(made, "-c", program)
        times.append(spent() - before)
        if went.returncode:
            raise RuntimeError(went.stderr)
    return min(times)


def measure(package: str, made: Environment) -> str:
    """Return a package's line of the table."""
    spent = processor_seconds(made, f"import {package.replace('-', '_')}") - processor_seconds(made, "pass")
    torch = sum(megabytes(made.libraries / name) for name in TORCH)
    cells = [
        f"`{package}`",
        f"{len(made.distributions)}",
        f"{megabytes(made.libraries):,.0f}",
        f"{torch:,.0f}",
        f"{spent:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def write_table(page: Path, lines: list[str]) -> None:
    """Replace the table between the two marks of a page."""
    text = page.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, "utf-8")


def main(wheels: str, *packages: str, root: Path = ROOT) -> int:
    """Measure each package; print the table and write the page; return the exit status."""
    lines = list(HEADING)
    print("\n".join(HEADING), flush=True)
    with tempfile.TemporaryDirectory() as name:
        index = write_index(Path(wheels), Path(name) / "index")
        for package in packages:
            with installed_alone(package, index, Path(name), root) as made:
                lines.append(measure(package, made))
            print(lines[-1], flush=True)
    if {*packages} == {*package_folders(root)}:
        write_table(root / PAGE, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
