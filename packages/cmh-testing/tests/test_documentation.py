import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import cmh_testing
import pytest

MODULES = [module.name for module in pkgutil.iter_modules(cmh_testing.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"cmh_testing.{name}"))
    assert result.failed == 0
    assert result.attempted > 0


def test_the_readme_makes_a_contract():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names = {}
    exec(block, names)  # noqa: S102 - our own README
    assert names["TestContract"].__mro__[1].__name__ == "_Contract"
