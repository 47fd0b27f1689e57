"""Every example in docstrings and README runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import cmh_search
import pytest

MODULES = [
    module.name for module in pkgutil.walk_packages(cmh_search.__path__, "cmh_search.") if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_example_of_the_readme_runs():
    path = Path(__file__).parents[1] / "README.md"
    if not path.exists():
        pytest.skip("the README stands in the repository only")
    (example,) = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own example
