import doctest
import importlib
import pkgutil

import cmh_cfrh
import pytest

MODULES = [module.name for module in pkgutil.iter_modules(cmh_cfrh.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(f"cmh_cfrh.{name}")).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(f"cmh_cfrh.{name}") for name in MODULES]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 2
