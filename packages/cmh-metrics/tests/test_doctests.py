import doctest
import pkgutil
from importlib import import_module

import cmh_metrics
import pytest

OPTIONAL = ("torch_tables", "triton_tables")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(cmh_metrics.__path__, "cmh_metrics.")
    if not module.name.endswith(OPTIONAL)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0


def test_every_public_function_has_an_example():
    functions = [getattr(cmh_metrics, name) for name in cmh_metrics.__all__]
    lacking = [f.__name__ for f in functions if type(f) is type(doctest.testmod) and ">>>" not in f.__doc__]
    assert not lacking
