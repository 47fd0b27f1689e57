"""What a build refuses: a small site with this repository's settings, without and with mistakes."""

import importlib
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name.replace("-", "_") for path in ROOT.glob("packages/*/pyproject.toml"))
INDEX = "# Site\n\n```{toctree}\npage\n```\n"
NOTEBOOK = (
    "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n# Page\n\n```{code-cell}\n1 / 0\n```\n"
)
MISTAKES = {
    "index": INDEX.replace("page", "page\nnotebook\napi/cmh-broken"),
    "page": "# Page\n\n[Gone](gone.md) and [gone](#gone), ![gone](gone.png)\n",
    "lost": "# Lost\n",
    "notebook": NOTEBOOK,
}
BROKEN = '"""A package."""\n__all__ = ["f"]\ndef f():\n    """Do.\n\n    * one\n   two\n    """\n'


def build(root, **pages):
    """Build a site of some pages with this repository's settings; return its status and what it said."""
    docs = root / "docs"
    (docs / "static").mkdir(parents=True, exist_ok=True)
    (docs / "static" / "site.css").write_text("")
    for name in ("conf.py", "repository_pages.py"):
        shutil.copy(ROOT / "docs" / name, docs)
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/search.md"):
        (root / name).write_text(f"---\norphan: true\n---\n# {name}\n")
    for name, text in pages.items():
        (docs / f"{name}.md").write_text(text)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", docs, root / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Return what a build with mistakes said."""
    root = tmp_path_factory.mktemp("mistakes")
    package = root / "packages" / "cmh-broken"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text("")
    (package / "README.md").write_text("# cmh-broken\n")
    (root / "docs").mkdir()
    (root / "docs" / "cmh_broken.py").write_text(BROKEN)
    status, said = build(root, **MISTAKES)
    assert status != 0
    return said


def test_a_site_without_a_mistake_is_built(tmp_path):
    status, said = build(
        tmp_path, index=INDEX, page="# Page\n\n[Settings](../README.md), [more](search.md).\n"
    )
    assert (status, said) == (0, "")
    page = (tmp_path / "out" / "page.html").read_text()
    assert 'href="index.html"><span class="std std-doc">Settings' in page
    assert 'href="more/searching.html"' in page


def test_a_page_in_no_contents_list_is_refused(said):
    assert "lost.md: WARNING: document isn't included in any toctree" in said


def test_a_link_to_nothing_is_refused(said):
    assert "docs/page.md: nothing at gone.md" in said
    assert "docs/page.md: nothing at gone.png" in said


def test_a_link_to_a_heading_that_is_not_there_is_refused(said):
    assert "'myst' cross-reference target not found: 'gone'" in said


def test_a_notebook_that_fails_is_refused(said):
    assert "ZeroDivisionError" in said


def test_a_docstring_that_is_no_restructuredtext_is_refused(said):
    assert "docstring of cmh_broken.f" in said


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_a_package_exports_is_on_its_page(package):
    """Read the list of the site that `nox -s docs` built before."""
    site = ROOT / "docs" / "_build" / "html"
    if not (site / "objects.inv").exists():
        pytest.skip("needs the site: uv run nox -s docs")
    listed = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    names = {line.split()[0] for line in listed.splitlines()}
    module = importlib.import_module(package)
    page = (site / "api" / f"{package.replace('_', '-')}.html").read_text("utf-8")
    for name in module.__all__:
        assert f"{package}.{name}" in names or f">{name}</span></code> is that of" in page
