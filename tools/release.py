"""Say which packages wait to be released: those whose newest changelog heading is a version without a tag.

A heading `## 0.2.0 (2026-12-01)` asks for the tag `cmh-data-v0.2.0`; one that says `unreleased` for nothing.
The release workflow publishes each package of the printed JSON list and sets the tag after the upload.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

NAME = re.compile(r"[A-Za-z0-9._-]*")
HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+\S*)(?P<rest>.*)$", re.MULTILINE)


class ReleaseError(ValueError):
    """A changelog and a pyproject.toml disagree, or a heading is missing."""


def newest_version(changelog: str) -> str | None:
    """The version of the newest heading, None where it is marked as unreleased."""
    heading = HEADING.search(changelog)
    if heading is None:
        raise ReleaseError("no heading like '## 0.1.0 (2026-11-22)'")
    return None if "unreleased" in heading["rest"] else heading["version"]


def pending(root: Path, tags: AbstractSet[str]) -> list[dict[str, str]]:
    """Packages to release: `name`, `version`, `tag` of each, what others need first.

    Args:
        root: the repository.
        tags: the tags that exist.

    Raises:
        ReleaseError: a changelog announces another version than its pyproject.toml states.
    """
    found = []
    folders = sorted([*root.glob("packages/*/pyproject.toml"), *root.glob("apps/*/pyproject.toml")])
    projects = {path: tomllib.loads(path.read_text())["project"] for path in folders}
    for project in in_order(projects):
        name, version = (projects[project][key] for key in ("name", "version"))
        try:
            announced = newest_version((project.parent / "CHANGELOG.md").read_text())
        except ReleaseError as error:
            raise ReleaseError(f"{name}: {error}") from None
        if announced is None:
            continue
        if announced != version:
            raise ReleaseError(
                f"{name}: the changelog announces {announced}, pyproject.toml states {version}"
            )
        if f"{name}-v{version}" not in tags:
            found.append({"name": name, "version": version, "tag": f"{name}-v{version}"})
    return found


def in_order(projects: dict[Path, dict[str, Any]]) -> list[Path]:
    """Projects after those of them that they need, with every extra.

    Args:
        projects: the `[project]` table of each `pyproject.toml`.
    """
    path_of = {table["name"]: path for path, table in projects.items()}
    needs = {
        path: [
            path_of[name]
            for needed in [
                *table.get("dependencies", ()),
                *(one for extra in table.get("optional-dependencies", {}).values() for one in extra),
            ]
            if (name := NAME.match(needed)[0]) in path_of and path_of[name] != path
        ]
        for path, table in projects.items()
    }
    return list(TopologicalSorter(needs).static_order())


def main() -> int:
    """Print the list as JSON; return the exit status."""
    root = Path(__file__).resolve().parent.parent
    tags = subprocess.run(["git", "tag"], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S607
    try:
        print(json.dumps(pending(root, set(tags.split()))))
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
