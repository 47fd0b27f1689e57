"""Fail when a package's sources changed without a word in its `news/`: `check_news.py origin/main`.

A change needs a fragment `packages/X/news/NAME.KIND.md` that is new or edited since the two branches parted;
of kind `misc` where users see nothing of it. A release counts too: it moves the fragments into CHANGELOG.md.
Every fragment in the tree, new or old, must have a known kind and be one sentence.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("feature", "bugfix", "doc", "removal", "misc")  # towncrier's own
NAME = re.compile(r"^[a-z0-9][a-z0-9-]*\.(?P<kind>[a-z]+)\.md$")


def changed_files(root: Path, base: str) -> list[str]:
    """Return what differs between the working tree and the commit where it left `base`.

    Raises:
        ValueError: git knows no such commit.
    """

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)  # noqa: S607
        if run.returncode:
            raise ValueError(f"{base} cannot be compared with: {run.stderr.strip()}")
        return run.stdout

    common = git("merge-base", base, "HEAD").strip()
    untracked = git("ls-files", "--others", "--exclude-standard")
    return [*git("diff", "--name-only", common).splitlines(), *untracked.splitlines()]


def silent_packages(changed: list[str]) -> list[str]:
    """Return the packages whose sources are among the changed files, but neither news nor changelog."""
    folders: dict[str, set[str]] = {}
    for path in changed:
        group, name, *inside = (
            Path(path).parts if len(Path(path).parts) > 3 else (*Path(path).parts, "", "", "")
        )
        if group in {"packages", "apps"}:
            folders.setdefault(f"{group}/{name}", set()).add(inside[0])
    return sorted(
        name for name, parts in folders.items() if "src" in parts and not parts & {"news", "CHANGELOG.md"}
    )


def fragment_faults(root: Path) -> list[str]:
    """Return what is wrong with the fragments in the tree, a sentence each."""
    found = []
    for path in sorted([*root.glob("packages/*/news/*"), *root.glob("apps/*/news/*")]):
        if path.name in {".gitignore", ".gitkeep", "README.md"}:
            continue
        name = path.relative_to(root)
        match = NAME.match(path.name)
        if match is None or match["kind"] not in KINDS:
            found.append(f"{name}: its name must be NAME.KIND.md, of kind {', '.join(KINDS)}")
        text = path.read_text("utf-8").strip()
        if not text.endswith((".", "!", "`")) or "\n\n" in text or text.startswith(("-", "*", "#")):
            found.append(f"{name}: it must be one plain sentence that ends with a full stop")
    return found


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check the fragments, and against a base that each changed package has one; return the exit status."""
    found = fragment_faults(root)
    try:
        silent = silent_packages(changed_files(root, arguments[0])) if arguments else []
    except ValueError as error:
        print(error)
        return 1
    found += [f"{name}: its sources changed; say so in {name}/news/NAME.KIND.md" for name in silent]
    print("\n".join(found or ["news fragments are as they must be"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
