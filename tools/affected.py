"""Say which sessions a change asks for: `nox --list --json | python tools/affected.py origin/main`.

It prints the sessions of the list as JSON, without those of packages that the change cannot reach. A package
is affected where its files differ from the commit at which the branch left the base, or those of a package
that it needs, for its tests too. What belongs to no package affects all of them where they are installed or
tested by it (`EVERYTHING`), otherwise none. Without a base every session stays, as for a push to main.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from check_news import changed_files

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
EVERYTHING = ("noxfile.py", "pyproject.toml", "requirements.lock", ".github/", "tools/affected.py")
# Parts of a package that no session of it reads.
WORDS = {"CHANGELOG.md", "news", "api.txt", "benchmarks"}


def package_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each package, by name."""
    return {path.parent.name: path.parent for path in sorted(root.glob("*/*/pyproject.toml"))}


def direct_needs(root: Path) -> dict[str, list[str]]:
    """Return what each package takes from the workspace itself: its dependencies, extras and test groups."""
    folders = package_folders(root)
    projects = {
        name: tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        for name, folder in folders.items()
    }
    return {
        name: [need for need in project.get("tool", {}).get("uv", {}).get("sources", {}) if need in folders]
        for name, project in projects.items()
    }


def workspace_needs(package: str, root: Path = ROOT) -> list[str]:
    """Return `package` and every workspace package that it needs, directly or not."""
    direct = direct_needs(root)
    found = [package]
    for name in found:
        found += [need for need in direct[name] if need not in found]
    return found


def affected_packages(root: Path, changed: Iterable[str]) -> set[str]:
    """Return the packages that a change reaches, dependents included.

    Args:
        root: the repository.
        changed: the changed files, relative to it.
    """
    packages = package_folders(root)
    paths = [Path(each).parts for each in changed]
    if any("/".join(parts).startswith(EVERYTHING) for parts in paths):
        return set(packages)
    touched = {
        parts[1]
        for parts in paths
        if parts[0] in {"packages", "apps"} and len(parts) > 2 and parts[2] not in WORDS
    }
    return {name for name in packages if touched & set(workspace_needs(name, root))}


def wanted_sessions(listed: list[dict[str, Any]], affected: Iterable[str]) -> list[str]:
    """Return the names of sessions that are of no package, or of an affected one.

    Args:
        listed: what `nox --list --json` prints.
        affected: packages.
    """
    kept = {None, *affected}
    return [each["session"] for each in listed if each["call_spec"].get("package") in kept]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Read the list of sessions from the standard input, print what is wanted; return the exit status."""
    listed = json.load(sys.stdin)
    base = arguments[0] if arguments else ""
    try:
        affected = affected_packages(root, changed_files(root, base)) if base else package_folders(root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(wanted_sessions(listed, affected)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
