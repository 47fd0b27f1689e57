"""Write or check the pins: the one version of everything that this workspace installs.

They stand twice. `[tool.uv] constraint-dependencies` of the root `pyproject.toml` is what `uv run` and
`uv sync` obey on every machine and every day, whatever has been published since; `requirements.lock` is the
same list with hashes, for other installers. Neither records a registry's address, as the untracked `uv.lock`
does.

    python tools/lock.py             say whether declarations, pins and requirements.lock agree
    python tools/lock.py --write     pin what the packages declare, and keep the pins that still fit
    python tools/lock.py --upgrade   take the newest version of everything
    python tools/lock.py --newer     list what --upgrade would change; the only answer that depends on the day
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CURE = "run `uv run nox -s lock -- --write`"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\\n]*?))?(?: \\)?$", re.MULTILINE
)
BLOCK = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)
EXPORT = [
    "uv", "export", "--quiet", "--format=requirements-txt", "--no-header",
    "--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace",
]  # fmt: skip


class LockError(ValueError):
    """The workspace cannot be resolved, or its pyproject.toml has no place for the pins."""


@dataclass(frozen=True, order=True)
class Pin:
    """One version of one distribution, perhaps only where a marker holds."""

    name: str
    version: str
    marker: str = ""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


def read_pins(text: str) -> list[Pin]:
    """Return the pins of a requirements file.

    A marker is kept only where a distribution has several versions: elsewhere it says where the distribution
    is needed, which is not a pin's business.
    """
    found = [
        Pin(each["name"], each["version"], (each["marker"] or "").strip()) for each in PIN.finditer(text)
    ]
    names = [pin.name for pin in found]
    return sorted(pin if names.count(pin.name) > 1 else Pin(pin.name, pin.version) for pin in found)


def read_constraints(root: Path) -> list[Pin]:
    """Return the pins that stand in the root's pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    lines = project["tool"]["uv"].get("constraint-dependencies", [])
    return read_pins("\n".join(lines))


def write_constraints(root: Path, pins: list[Pin]) -> None:
    """Replace the pins in the root's pyproject.toml.

    Raises:
        LockError: it has no `constraint-dependencies = [` to replace.
    """
    path = root / "pyproject.toml"
    lines = "".join(f'  "{pin}",\n' for pin in pins)
    text, count = BLOCK.subn(
        lambda _: f"constraint-dependencies = [\n{lines}]\n", path.read_text("utf-8"), count=1
    )
    if not count:
        raise LockError(
            f"{path} has no lines `constraint-dependencies = [` and `]` to write the pins between"
        )
    path.write_text(text, "utf-8")


def declared(root: Path) -> Iterator[tuple[Path, Requirement]]:
    """Yield every requirement on other people's distributions, of each package, extra and group."""
    projects = [
        root / "pyproject.toml",
        *sorted(root.glob("*/pyproject.toml")),
        *sorted(root.glob("*/*/pyproject.toml")),
    ]
    read = {path: tomllib.loads(path.read_text("utf-8")) for path in projects}
    ours = {canonicalize_name(content["project"]["name"]) for content in read.values()}
    for path, content in read.items():
        project = content["project"]
        lists = [
            project.get("dependencies", []),
            *project.get("optional-dependencies", {}).values(),
            *content.get("dependency-groups", {}).values(),
        ]
        for text in (text for each in lists for text in each if isinstance(text, str)):
            requirement = Requirement(text)
            if canonicalize_name(requirement.name) not in ours:
                yield path.relative_to(root), requirement


def applies(marker: str, python: str) -> bool:
    """Say whether a marker holds for a version of Python, on this machine."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    return not marker or Marker(marker).evaluate(dict(environment))


def broken_pins(root: Path, pins: list[Pin]) -> dict[str, str]:
    """Return what no pin satisfies: the distribution's name to a sentence."""
    found: dict[str, str] = {}
    for path, requirement in declared(root):
        name = canonicalize_name(requirement.name)
        for python in PYTHONS:
            if requirement.marker and not applies(str(requirement.marker), python):
                continue
            versions = [pin.version for pin in pins if pin.name == name and applies(pin.marker, python)]
            if not versions:
                found.setdefault(name, f"{path}: {requirement} has no pin for Python {python}")
            elif not requirement.specifier.contains(versions[0], prereleases=True):
                text = f"{path}: {requirement} is not satisfied by the pin {name}=={versions[0]}"
                found.setdefault(name, text)
    return found


def resolve(root: Path, pins: list[Pin]) -> str:
    """Return what the workspace resolves to under some pins, as a requirements file with hashes.

    It works in a copy of the pyproject files, so that no `uv.lock` of this machine takes part.

    Raises:
        LockError: with what uv says, where there is no solution.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for path in [
            *root.glob("pyproject.toml"),
            *root.glob("*/pyproject.toml"),
            *root.glob("*/*/pyproject.toml"),
        ]:
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        write_constraints(copy, pins)
        run = subprocess.run(EXPORT, cwd=copy, check=False, capture_output=True, text=True)
    if run.returncode:
        raise LockError(run.stderr.strip())
    return run.stdout


def disagreements(root: Path) -> list[str]:
    """Return what is wrong, a sentence each; nothing in it depends on what has been published since."""
    pins = read_constraints(root)
    found = list(broken_pins(root, pins).values())
    try:
        resolved = read_pins(resolve(root, pins))
    except LockError as error:
        return [*found, f"there is no solution under the pins: {error}"]
    found += [f"{pin} is installed and not pinned" for pin in resolved if pin not in pins]
    found += [f"{pin} is pinned and not needed" for pin in pins if pin not in resolved]
    recorded = read_pins((root / "requirements.lock").read_text("utf-8"))
    found += [f"{pin} stands in requirements.lock and is not the pin" for pin in recorded if pin not in pins]
    found += [f"{pin} does not stand in requirements.lock" for pin in pins if pin not in recorded]
    return found


def write(root: Path, *, upgrade: bool = False) -> list[str]:
    """Bring both lists up to date; return what changed, as "name: before -> after".

    Raises:
        LockError: the declarations contradict each other, or the pins that are kept.
    """
    before = read_constraints(root)
    broken = broken_pins(root, before)
    kept = [] if upgrade else [pin for pin in before if pin.name not in broken]
    after = read_pins(text := resolve(root, kept))
    write_constraints(root, after)
    (root / "requirements.lock").write_text(text, "utf-8")
    return changes(before, after)


def changes(before: list[Pin], after: list[Pin]) -> list[str]:
    """Return what differs between two lists of pins, a line for each distribution."""
    names = sorted({pin.name for pin in {*before} ^ {*after}})
    return [
        f"{name}: {', '.join(p.version for p in before if p.name == name) or 'absent'}"
        f" -> {', '.join(p.version for p in after if p.name == name) or 'absent'}"
        for name in names
    ]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Do what the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    doing = parser.add_mutually_exclusive_group()
    for option in ("--write", "--upgrade", "--newer"):
        doing.add_argument(option, action="store_true")
    asked = parser.parse_args(arguments)
    try:
        if asked.write or asked.upgrade:
            print("\n".join(write(root, upgrade=asked.upgrade) or ["the pins are as they were"]))
            return 0
        if asked.newer:
            newer = changes(read_constraints(root), read_pins(resolve(root, [])))
            print("\n".join(newer or ["the pins are the newest versions"]))
            return 0
        found = disagreements(root)
    except LockError as error:
        print(f"{error}\nIf only an older pin stands in the way, run `uv run nox -s lock -- --upgrade`.")
        return 1
    print("\n".join([*found, CURE]) if found else "declarations, pins and requirements.lock agree")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
