import shutil
import subprocess

import prepare_release
import pytest
import release

CHANGELOG = "# Changelog\n\n<!-- towncrier release notes start -->\n\n"
TOWNCRIER = """
[tool.towncrier]
directory = "news"
filename = "CHANGELOG.md"
name = "cmh-a"
title_format = "## {version} ({project_date})"
issue_format = ""
underlines = ["", "", ""]
start_string = "<!-- towncrier release notes start -->\\n"
"""


@pytest.fixture
def root(tmp_path):
    if shutil.which("towncrier") is None:
        pytest.fail("towncrier belongs to the test group")
    folder = tmp_path / "packages" / "cmh-a"
    (folder / "src").mkdir(parents=True)
    (folder / "news").mkdir()
    (folder / "src" / "cmh_a.py").write_text('__all__ = ["rank"]\n\n\ndef rank(codes):\n    pass\n')
    (folder / "pyproject.toml").write_text('[project]\nname = "cmh-a"\nversion = "0.1.0"\n' + TOWNCRIER)
    (folder / "CHANGELOG.md").write_text(f"{CHANGELOG}## 0.1.0 (unreleased)\n\nFirst release.\n")
    (folder / "news" / "speed.feature.md").write_text("It is faster.\n")
    (folder / "news" / "inside.misc.md").write_text("Nobody sees it.\n")
    (folder / "news" / "old.removal.md").write_text("It was never out.\n")
    (folder / "README.md").write_text(
        "# cmh-a\n\n```\nuv pip install ./packages/cmh-a    # today, in a clone: it is on no index yet\n"
        "uv pip install cmh-a               # once it is on one\n```\n"
    )
    other = tmp_path / "apps" / "app"
    other.mkdir(parents=True)
    (other / "pyproject.toml").write_text('dependencies = ["cmh-a[torch]>=0.1.0", "cmh-ab>=0.1.0"]\n')
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S607 - towncrier asks git to remove
    return tmp_path


def prepare(root, part="minor"):
    return prepare_release.prepare(root, "cmh-a", part, date="2026-12-01")


def test_the_first_release_takes_the_version_that_stands_there(root):
    folder = root / "packages" / "cmh-a"
    assert prepare(root) == "0.1.0"
    text = (folder / "CHANGELOG.md").read_text()
    assert text.index("## 0.1.0 (2026-12-01)") < text.index("- It is faster.") < text.index("First release.")
    assert not [word for word in ("unreleased", "Misc", "sees", "never out") if word in text]
    assert not list((folder / "news").glob("*.md"))
    assert (folder / "api.txt").read_text() == "rank\nrank codes\n"
    assert (folder / "README.md").read_text() == "# cmh-a\n\n```\nuv pip install cmh-a\n```\n"


def test_a_later_release_raises_version_and_bounds_and_waits_to_be_published(root):
    folder = root / "packages" / "cmh-a"
    prepare(root)
    (folder / "news" / "more.bugfix.md").write_text("It is right.\n")
    assert prepare(root) == "0.2.0"
    assert 'version = "0.2.0"' in (folder / "pyproject.toml").read_text()
    assert (
        root / "apps/app/pyproject.toml"
    ).read_text() == 'dependencies = ["cmh-a[torch]>=0.2.0", "cmh-ab>=0.1.0"]\n'
    shutil.rmtree(root / "apps")
    assert release.pending(root, {"cmh-a-v0.1.0"}) == [
        {"name": "cmh-a", "version": "0.2.0", "tag": "cmh-a-v0.2.0"}
    ]


def test_a_later_release_says_what_was_removed(root):
    folder = root / "packages" / "cmh-a"
    prepare(root)
    (folder / "news" / "inside.misc.md").write_text("Nobody sees it.\n")
    (folder / "news" / "old.removal.md").write_text("`rank` is gone.\n")
    prepare(root)
    newest = (folder / "CHANGELOG.md").read_text().split("## ")[1:]
    assert "Removals\n\n- `rank` is gone." in "## ".join(newest)
    assert "Misc" not in "## ".join(newest)


def test_nothing_new_is_nothing_to_release(root):
    prepare(root)
    with pytest.raises(release.ReleaseError, match=r"no news since 0\.1\.0"):
        prepare(root)


def test_a_patch_must_break_nothing(root):
    folder = root / "packages" / "cmh-a"
    prepare(root)
    (folder / "news" / "more.removal.md").write_text("`codes` is `values`.\n")
    (folder / "src" / "cmh_a.py").write_text('__all__ = ["rank"]\n\n\ndef rank(values):\n    pass\n')
    with pytest.raises(release.ReleaseError, match="a patch must break nothing, but rank codes is gone"):
        prepare(root, "patch")
    assert prepare(root, "minor") == "0.2.0"


def test_an_unknown_package_is_refused(root):
    with pytest.raises(release.ReleaseError, match="cmh-z is no package"):
        prepare_release.prepare(root, "cmh-z", "minor")


@pytest.mark.parametrize(("part", "version"), [("major", "1.0.0"), ("minor", "0.3.0"), ("patch", "0.2.6")])
def test_what_stands_behind_the_raised_part_becomes_zero(part, version):
    assert prepare_release.next_version("0.2.5", part) == version
