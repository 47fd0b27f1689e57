from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import cmh_data
import pytest

MODULES = [module.name for module in pkgutil.walk_packages(cmh_data.__path__, "cmh_data.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 8


def test_the_readme_runs(tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        exec(code, {})  # noqa: S102 - the example of our own README
    assert "(1876, 1280) (1876, 615) (1876, 9)" in capsys.readouterr().out


def test_every_public_name_is_documented():
    for name in cmh_data.__all__:
        assert getattr(cmh_data, name).__doc__, name
