"""Run the examples of this package's docstrings and of its README. The same file stands in every package."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import cmh_mtfh as package
import pytest

MODULES = [
    module.name
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", [package.__name__, *MODULES])
def test_examples_of_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] == package.__name__:
            raise
        pytest.skip(f"needs {error.name}, which an extra of this package brings")
    assert doctest.testmod(module).failed == 0


def test_examples_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own README
