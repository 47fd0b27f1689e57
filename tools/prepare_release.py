"""Prepare the release of a package: `prepare_release.py cmh-metrics minor`; parts are major, minor and patch.

Sets the next version, builds the changelog from `news/` with towncrier, raises the lowest version that its
neighbours ask for, and records the public API. It commits nothing: look at `git diff`, then merge. A package
whose newest changelog heading says "(unreleased)" was never out: its first release takes that version,
whatever the part. Fragments of kind `misc` do not reach the changelog; nor do those of kind `removal` at a
first release, before which there was nothing to remove.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import api
from release import ReleaseError, newest_version

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("major", "minor", "patch")
UNRELEASED = re.compile(r"^## (?P<version>\S+) \(unreleased\)\n+", re.MULTILINE)
# What a README says until the first release: a line that goes, and a comment that goes.
ON_NO_INDEX = re.compile(
    r"^.*# today, in a clone: it is on no index yet\n| +# once it is on one$", re.MULTILINE
)


def next_version(current: str, part: str) -> str:
    """Return the version after `current`; what stands behind the raised part becomes 0."""
    numbers = [int(each) for each in current.split(".")]
    place = PARTS.index(part)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)]))


def replace_once(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file.

    Raises:
        ReleaseError: it stands there never or twice.
    """
    text = path.read_text("utf-8")
    if text.count(old) != 1:
        raise ReleaseError(f"{path} must hold {old!r} once, but holds it {text.count(old)} times")
    path.write_text(text.replace(old, new), "utf-8")


def raise_bounds(root: Path, name: str, version: str) -> list[str]:
    """Make every neighbour ask for at least `version` of a package; return the neighbours' names."""
    bound = re.compile(rf'"(?P<need>{re.escape(name)}(?:\[[\w,-]+\])?)>=[\w.]+"')
    changed = []
    for path in sorted([*root.glob("packages/*/pyproject.toml"), *root.glob("apps/*/pyproject.toml")]):
        text = path.read_text("utf-8")
        raised = bound.sub(rf'"\g<need>>={version}"', text)
        if raised != text:
            path.write_text(raised, "utf-8")
            changed.append(path.parent.name)
    return changed


def prepare(root: Path, name: str, part: str, *, date: str | None = None) -> str:
    """Change the files of a release; return the version.

    Raises:
        ReleaseError: there is no such package, nothing to release, or a file is not as it should be.
    """
    folders = [path.parent for path in root.glob(f"*/{name}/pyproject.toml")]
    if len(folders) != 1:
        raise ReleaseError(f"{name} is no package below packages/ or apps/")
    (folder,) = folders
    project, changelog = folder / "pyproject.toml", folder / "CHANGELOG.md"
    current = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
    first = newest_version(changelog.read_text("utf-8")) is None
    if not first and not list((folder / "news").glob("*.*.md")):
        raise ReleaseError(f"{name} has no news since {current}: there is nothing to release")
    version = current if first else next_version(current, part)
    package = name.replace("-", "_")
    if (folder.parent.name, part) == ("packages", "patch") and not first:
        record = (folder / "api.txt").read_text("utf-8").splitlines()
        if found := api.breaks(record, api.public_lines(package, [folder / "src"])):
            raise ReleaseError(f"{name}: a patch must break nothing, but {found[0]}")
    for kind in ("misc", "removal") if first else ("misc",):
        for fragment in (folder / "news").glob(f"*.{kind}.md"):
            fragment.unlink()
    where = ["--config", str(project), "--dir", str(folder)]
    command = ["towncrier", "build", "--yes", *where, "--version", version]
    command += ["--date", date] if date else []
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    if first:  # what stood below the unreleased heading belongs to the heading that towncrier has written
        changelog.write_text(UNRELEASED.sub("", changelog.read_text("utf-8"), count=1), "utf-8")
        readme = folder / "README.md"
        readme.write_text(ON_NO_INDEX.sub("", readme.read_text("utf-8")), "utf-8")
    else:
        replace_once(project, f'\nversion = "{current}"\n', f'\nversion = "{version}"\n')
    raise_bounds(root, name, version)
    if folder.parent.name == "packages":
        (folder / "api.txt").write_text(
            "\n".join(api.public_lines(package, [folder / "src"])) + "\n", "utf-8"
        )
    return version


def main() -> int:
    """Prepare, and show the difference; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package")
    parser.add_argument("part", choices=PARTS)
    asked = parser.parse_args()
    try:
        version = prepare(ROOT, asked.package, asked.part)
    except ReleaseError as error:
        print(error)
        return 1
    subprocess.run(["git", "add", "--intent-to-add", "packages", "apps"], cwd=ROOT, check=True)  # noqa: S607 - api.txt
    subprocess.run(["git", "--no-pager", "diff", "HEAD", "--stat", "--patch"], cwd=ROOT, check=True)  # noqa: S607
    print(f"{asked.package} {version} is prepared: commit and merge it, and it is published with its tag")
    return 0


if __name__ == "__main__":
    sys.exit(main())
