"""Install each package alone from a local index and run its README: `rehearse.py DIST PACKAGE...`.

The wheels in DIST become a package index in a folder, which is asked before all others, so that our packages
come from it and from nowhere else. Each package gets a fresh environment of the Python that runs this,
outside of the repository, by the command in its README: `uv pip install PACKAGE`. Then the README's Python
runs there. It prints a line for each package, and the error of each README that fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affected import package_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HEADING = ["| package | Python | distributions | README |", "|---|---|---|---|"]


@dataclass(frozen=True)
class Environment:
    """A fresh environment with one package in it.

    Attributes:
        folder: a folder outside of the repository, with `environment/` in it.
        distributions: what is installed, as "name==version".
    """

    folder: Path
    distributions: list[str]

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "environment" / "bin" / "python"

    @property
    def libraries(self) -> Path:
        """The folder of what is installed."""
        (found,) = (self.folder / "environment" / "lib").glob("python*/site-packages")
        return found


def write_index(wheels: Path, folder: Path) -> Path:
    """Lay wheels out as a package index (PEP 503) and return its folder.

    Raises:
        FileNotFoundError: there is no wheel.
    """
    built = sorted(wheels.glob("*.whl"))
    if not built:
        raise FileNotFoundError(f"{wheels} must hold wheels, but it holds none")
    for wheel in built:
        project = folder / wheel.name.split("-")[0].replace("_", "-").lower()
        project.mkdir(parents=True, exist_ok=True)
        (project / wheel.name).symlink_to(wheel.resolve())
        links = sorted(f'<a href="{each.name}">{each.name}</a>' for each in project.glob("*.whl"))
        (project / "index.html").write_text("\n".join(links), "utf-8")
    return folder


@contextmanager
def installed_alone(package: str, index: Path, folder: Path, root: Path = ROOT) -> Iterator[Environment]:
    """Install one package with what it needs, and nothing else, into a fresh environment below a folder.

    Raises:
        subprocess.CalledProcessError: it cannot be installed; uv has said why.
    """
    made = Environment(folder, [])
    place = folder / "environment"
    try:
        command = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(place)]
        subprocess.run(command, check=True)
        # The pins of root/pyproject.toml hold; a wheel of this version that uv has kept does not.
        command = ["uv", "pip", "install", "--quiet", "--python", str(made.python), "--index", str(index)]
        ours = [f"--reinstall-package={each.name}" for each in index.iterdir()]
        subprocess.run([*command, *ours, package], cwd=root, check=True)
        command = ["uv", "pip", "freeze", "--quiet", "--python", str(made.python)]
        frozen = subprocess.run(command, check=True, capture_output=True, text=True)
        made.distributions.extend(frozen.stdout.splitlines())
        yield made
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run_alone(made: Environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the environment's Python in its folder.

    Bytecode is kept beside the environments: compiling PyTorch anew for each takes ten seconds.
    """
    alone = os.environ | {"PYTHONPATH": "", "PYTHONPYCACHEPREFIX": str(made.folder / "bytecode")}
    command = [str(made.python), *arguments]
    return subprocess.run(command, cwd=made.folder, check=False, capture_output=True, text=True, env=alone)


def readme_program(text: str) -> str:
    """Return the Python blocks of a README, one after another."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))


def rehearse(package: str, index: Path, folder: Path, root: Path = ROOT) -> tuple[str, bool]:
    """Install one package and run its README; return its line of the table and whether that went well."""
    program = readme_program((package_folders(root)[package] / "README.md").read_text("utf-8"))
    (folder / "readme.py").write_text(program, "utf-8")
    with installed_alone(package, index, folder, root) as made:
        went = run_alone(made, "readme.py")
    verdict = "fails" if went.returncode else "runs" if program else "has no Python"
    if went.returncode:
        print(went.stderr, file=sys.stderr)
    cells = [package, f"{sys.version_info.major}.{sys.version_info.minor}", len(made.distributions), verdict]
    return f"| {' | '.join(map(str, cells))} |", went.returncode == 0


def main(wheels: str, *packages: str, root: Path = ROOT) -> int:
    """Rehearse each package; print the table; return the exit status."""
    print("\n".join(HEADING), flush=True)
    status = 0
    with tempfile.TemporaryDirectory() as name:
        index = write_index(Path(wheels), Path(name) / "index")
        for package in packages:
            line, well = rehearse(package, index, Path(name), root)
            print(line, flush=True)
            status |= not well
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
