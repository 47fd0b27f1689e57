from pathlib import Path

import pytest
import release

ROOT = Path(__file__).parents[2]


def make_package(root, name, version, heading):
    folder = root / "packages" / name
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\nText.\n\n## 0.0.1 (2026-01-01)\n")


def test_a_dated_heading_without_a_tag_waits_for_release(tmp_path):
    make_package(tmp_path, "cmh-a", "0.2.0", "## 0.2.0 (2026-12-01)")
    make_package(tmp_path, "cmh-b", "0.2.0", "## 0.2.0 (unreleased)")
    make_package(tmp_path, "cmh-c", "0.3.0", "## 0.3.0 (2026-12-01)")
    assert release.pending(tmp_path, {"cmh-c-v0.3.0", "cmh-b-v0.2.0"}) == [
        {"name": "cmh-a", "version": "0.2.0", "tag": "cmh-a-v0.2.0"}
    ]


@pytest.mark.parametrize(
    ("heading", "message"),
    [("## 0.3.0 (2026-12-01)", "announces 0.3.0, pyproject.toml states 0.2.0"), ("## Next", None)],
)
def test_a_changelog_that_disagrees_is_refused(tmp_path, heading, message):
    make_package(tmp_path, "cmh-a", "0.2.0", heading)
    if message is None:  # an unnumbered heading falls through to the last numbered one
        message = "announces 0.0.1"
    with pytest.raises(release.ReleaseError, match=message):
        release.pending(tmp_path, set())


def test_a_package_is_published_after_what_it_needs(tmp_path):
    for name, needs in (("cmh-a", ["cmh-c>=0.1", "numpy"]), ("cmh-b", []), ("cmh-c", ["cmh-b>=0.1"])):
        make_package(tmp_path, name, "0.1.0", "## 0.1.0 (2026-12-01)")
        with (tmp_path / "packages" / name / "pyproject.toml").open("a") as file:
            file.write(f"dependencies = {needs}\n")
    assert [one["name"] for one in release.pending(tmp_path, set())] == ["cmh-b", "cmh-c", "cmh-a"]


def test_every_package_of_this_repository_agrees_with_its_changelog():
    assert isinstance(release.pending(ROOT, set()), list)


def test_every_package_carries_the_licence():
    licence = (ROOT / "LICENSE").read_text()
    for project in [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("apps/*/pyproject.toml")]:
        assert (project.parent / "LICENSE").read_text() == licence
