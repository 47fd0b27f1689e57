"""A Sphinx extension: a page for each package, and links that lead from file to page.

The pages in `api/` and `more/` are written by each build and are not tracked. `api/` holds a page for each
package, its README and then everything in its `__all__`, so that nothing here lists a package or a name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from pydantic.fields import FieldInfo
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
API = DOCS / "api"
MORE = DOCS / "more"
LINK = re.compile(r"(?<=\]\()(?P<target>[^()\s#]+)(?P<anchor>#[^()\s]*)?(?=\))")
FENCE = re.compile(r"^(```.*?^```[^\n]*\n)", re.MULTILINE | re.DOTALL)
# Files that are shown elsewhere than where they lie.
PAGES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CONTRIBUTING.md": MORE / "contributing.md",
    ROOT / "SECURITY.md": MORE / "security.md",
    DOCS / "search.md": MORE / "searching.md",
}
# What else a package has to read or to look at.
FURTHER = ("docs/*", "benchmarks/*.png", "src/*/*/*.md")
logger = logging.getLogger(__name__)


def packages() -> list[Path]:
    """Return the folder of each package that has a README."""
    return sorted(
        path.parent for path in ROOT.glob("*/*/README.md") if (path.parent / "pyproject.toml").exists()
    )


def page_of(path: Path) -> Path | None:
    """Return the file, in `docs`, that shows a file or folder of the repository; None where none does."""
    if path in PAGES:
        return PAGES[path]
    if path.is_relative_to(DOCS):
        return DOCS / "index.md" if path == DOCS else path
    for package in packages():
        if path in {package, package / "README.md"}:
            return API / f"{package.name}.md"
        if path.is_relative_to(package) and path.suffix in {".md", ".csv", ".png"}:
            return API / package.name / path.relative_to(package)
    return None


def lead_links(text: str, source: Path, page: Path) -> str:
    """Rewrite the relative links of a file's text for the page that shows it.

    A link to a file that is no page becomes plain text; one to nothing is a warning, and so an error.
    """

    def lead(found: re.Match[str]) -> str:
        target, anchor = found["target"], found["anchor"] or ""
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = Path(os.path.normpath(source.parent / target))
        if not path.exists():
            logger.warning("%s: nothing at %s", source.relative_to(ROOT), target)
            return found[0]
        shown = page_of(path)
        if shown is None or (path.is_dir() and shown == path):  # a folder is no page
            return ""
        return os.path.relpath(shown, page.parent) + anchor

    parts = FENCE.split(text)
    parts[::2] = [re.sub(r"\[([^\[\]]*)\]\(\)", r"\1", LINK.sub(lead, part)) for part in parts[::2]]
    return "".join(parts)


def write_pages(_: Sphinx) -> None:
    """Write `api/` and `more/`: what is as it was stays, so that a second build reads only what changed."""
    before = {path for folder in (API, MORE) for path in folder.rglob("*") if path.is_file()}
    for path in before - set(each_page()):
        path.unlink()


def each_page() -> Iterator[Path]:
    """Write each page and yield its path."""
    for source, page in PAGES.items():
        if page.is_relative_to(MORE):
            yield write(page, lead_links(source.read_text("utf-8"), source, page))
    for package in packages():
        readme = package / "README.md"
        page = API / f"{package.name}.md"
        text = lead_links(readme.read_text("utf-8"), readme, page)
        if package.parent.name == "packages":
            text += reference(package.name.replace("-", "_"))
        further = [further_page(path, package) for pattern in FURTHER for path in package.glob(pattern)]
        yield from further
        listed = "".join(f"{path.relative_to(API)}\n" for path in sorted(further) if path.suffix == ".md")
        yield write(page, text + (f"\n```{{toctree}}\n:hidden:\n\n{listed}```\n" if listed else ""))


def reference(package: str) -> str:
    """Return the part of a page that documents what a package exports."""
    module = importlib.import_module(package)
    text = "\n## Reference\n\n"
    elsewhere, constants = [], []
    for name in module.__all__:
        value = getattr(module, name)
        owner = getattr(value, "__module__", package).split(".")[0]
        if not (isinstance(value, type) or inspect.isroutine(inspect.unwrap(value))):
            constants.append(name)
        elif owner != package and owner.startswith("cmh_"):
            elsewhere.append(name)
            page = owner.replace("_", "-")
            text += f"`{name}` is that of [{page}]({page}.md).\n"
    lines = [f".. automodule:: {package}"]
    if left_out := elsewhere + constants:
        lines.append(f"   :exclude-members: {', '.join(left_out)}")
    for name in constants:
        lines += ["", f".. py:data:: {name}", f"   :module: {package}", ""]
        lines += [f"   {line}" for line in documentation_of_constant(module, name)]
    body = "\n".join(lines)
    return f"{text}\n```{{eval-rst}}\n{body}\n```\n"


def documentation_of_constant(module: ModuleType, name: str) -> list[str]:
    """Return the words beside a constant where it is defined: in a module in which autodoc does not look."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    origins = {
        alias.asname or alias.name: statement.module
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    documented = ModuleAnalyzer.for_module(origins.get(name, module.__name__)).find_attr_docs()
    return documented.get(("", name), [])


def further_page(path: Path, package: Path) -> Path:
    """Write the page of another document of a package, or copy a picture of it, and return where."""
    page = API / package.name / path.relative_to(package)
    if path.suffix == ".md":
        return write(page, lead_links(path.read_text("utf-8"), path, page))
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, page)
    return page


def write(page: Path, text: str) -> Path:
    """Write a page, unless that is what it holds, and return it."""
    page.parent.mkdir(parents=True, exist_ok=True)
    if not page.exists() or page.read_text("utf-8") != text:
        page.write_text(text, "utf-8")
    return page


def lead_links_of_page(_: Sphinx, name: str, content: list[str]) -> None:
    """Rewrite the links of a page as it is read."""
    source = DOCS / f"{name}.md"
    if source.exists() and not any(source.is_relative_to(folder) for folder in (API, MORE)):
        content[0] = lead_links(content[0], source, source)


def described_options(shown: object) -> dict[str, FieldInfo]:
    """Return the fields of a class of options that have a description; nothing for anything else."""
    if not (isinstance(shown, type) and issubclass(shown, BaseModel)):
        return {}
    return {name: each for name, each in shown.model_fields.items() if each.description}


def shorten_signature(_: Sphinx, __: str, ___: str, shown: object, *____: object) -> tuple[str, str] | None:
    """Leave the options out of the signature of their class: a table below it has them."""
    return ("(**options)", "") if described_options(shown) else None


def skip_settings(_: Sphinx, __: str, name: str, *___: object) -> bool | None:
    """Leave out what pydantic keeps in a class, None leaving the decision to others."""
    return True if name == "model_config" else None


def describe_options(
    _: Sphinx, __: str, ___: str, shown: object, ____: dict[str, bool], lines: list[str]
) -> None:
    """Add a class of options' fields, with default and description, to its docstring."""
    described = described_options(shown)
    if not described:
        return
    lines += ["", ".. list-table::", "   :header-rows: 1", "   :widths: 30 20 50", ""]
    lines += ["   * - option", "     - default", "     - meaning"]
    for name, each in described.items():
        default = "required" if each.is_required() else f"``{each.get_default(call_default_factory=True)!r}``"
        lines += [f"   * - ``{name}``", f"     - {default}", f"     - {escape(each.description or '')}"]
    lines.append("")


def escape(text: str) -> str:
    """Return plain words as reStructuredText."""
    return re.sub(r"([*`|_\\])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", lead_links_of_page)
    app.connect("autodoc-process-docstring", describe_options)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", skip_settings)
    return {"parallel_read_safe": True}
