import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from affected import package_folders
from documents import documents as pages
from release import newest_version

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def read(path):
    return (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_has_what_every_package_has(package):
    wanted = ("README.md", "CHANGELOG.md", "LICENSE", "news", "src", "tests")
    assert not [name for name in wanted if not (package / name).exists()]
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))
    assert "test" in project["dependency-groups"]
    assert project["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"
    assert project["tool"]["towncrier"]["name"] == project["project"]["name"] == package.name


@pytest.mark.parametrize("package", package_folders(ROOT).values(), ids=lambda path: path.name)
def test_a_readme_says_how_to_install_before_and_after_the_first_release(package):
    text = (package / "README.md").read_text("utf-8")
    never_released = newest_version((package / "CHANGELOG.md").read_text("utf-8")) is None
    clone = f"\nuv pip install ./{package.relative_to(ROOT)}    # today, in a clone: it is on no index yet\n"
    assert (clone in text) == never_released
    assert re.search(
        rf"^uv pip install {package.name}{' +# once it is on one' * never_released}$", text, re.MULTILINE
    )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_runs_the_examples_of_its_docstrings_and_its_readme(package):
    text = (package / "tests" / "test_documentation.py").read_text("utf-8")
    assert re.search(
        r"^def test_examples_of_docstrings_run\(.*doctest\.testmod\(", text, re.MULTILINE | re.DOTALL
    )
    assert re.search(r"^def test_\w*readme\w*\(.*exec\(", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_stands_in_the_documents_and_in_the_import_contracts(package):
    assert f"(packages/{package.name})" in read("README.md")
    assert f"`{package.name}`" in read("docs/architecture.md")
    module = package.name.replace("-", "_")
    contracts = PROJECT["tool"]["importlinter"]
    assert module in contracts["root_packages"]
    (floors,) = (each for each in contracts["contracts"] if each["id"] == "floors")
    assert module in re.findall(r"\w+", " ".join(floors["layers"]))


def test_nothing_large_is_committed():
    git = shutil.which("git")
    assert git is not None
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert files
    assert [path.relative_to(ROOT) for path in files if path.stat().st_size > 3 << 20] == [
        Path("packages/cmh-data/src/cmh_data/emoji/emoji.h5")
    ]


def test_the_floors_hold_packages_only():
    names = {path.name.replace("-", "_") for path in PACKAGES} | {"umml_cli"}
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) <= names


def test_links_between_documents_lead_somewhere():
    documents = [
        *ROOT.glob("*.md"),
        *pages(),
        *ROOT.glob("packages/*/*.md"),
        *ROOT.glob("apps/*/*.md"),
    ]
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
        if "://" not in link and not link.startswith("mailto:") and not (document.parent / link).exists()
    ]
    assert not broken
