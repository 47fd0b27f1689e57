"""`umml new-method`: a method package of one's own that trains at once."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from umml_cli.console import make_console
from umml_cli.errors import UserError

# Of the template, and where each is written; `$module` is the name that Python imports.
_FILES = {
    "pyproject.toml.template": "pyproject.toml",
    "src/method.py.template": "src/$module/__init__.py",
    "tests/test_contract.py.template": "tests/test_contract.py",
}


def new_method(
    name: Annotated[
        str, typer.Argument(help="Name of the method and its package: lower case, with hyphens.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the package; by default NAME in the current folder.")
    ] = None,
) -> None:
    """Make a package with a method that trains at once, to change into your own.

    Example: umml new-method close-pairs
    """
    out = Path(name) if out is None else out
    module = name.replace("-", "_")
    _check(name, module)
    if out.exists():
        raise UserError(f"{out} exists already; give another --out, or remove it.")
    class_name = "".join(part.capitalize() for part in name.split("-"))
    values = {"name": name, "module": module, "class_name": class_name}
    partial = out.with_name(f".{out.name}.partial")
    try:
        for source, target in _FILES.items():
            path = partial / Template(target).substitute(values)
            path.parent.mkdir(parents=True, exist_ok=True)
            template = files("umml_cli.commands").joinpath("method_template", source)
            path.write_text(
                Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8"
            )
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    make_console(soft_wrap=True).print(
        f"{out} holds the method {name}. Install it beside the app, then train it:\n"
        f"  uv pip install -e {out}\n"
        f"  umml train emoji --method {name} --preset small\n"
        f"Its tests: uv pip install cmh-testing && pytest {out}"
    )


def _check(name: str, module: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(module):
        raise UserError(
            f"NAME must be lower-case letters, digits and hyphens, such as close-pairs, but it is {name!r}."
        )
    if name in entry_points(group="cmh.methods").names or importlib.util.find_spec(module) is not None:
        raise UserError(
            f"A method or a Python module called {name} is installed already; choose another NAME."
        )
