import doctest
import pkgutil
from importlib import import_module

import cmh_metrics
import pytest

OPTIONAL = ("_torch_tables", "_triton_tables")
MODULES = [m.name for m in pkgutil.iter_modules(cmh_metrics.__path__) if m.name not in OPTIONAL]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(import_module(f"cmh_metrics.{name}"))
    assert failed == 0


def test_every_public_function_has_an_example():
    functions = [getattr(cmh_metrics, name) for name in cmh_metrics.__all__]
    lacking = [f.__name__ for f in functions if type(f) is type(doctest.testmod) and ">>>" not in f.__doc__]
    assert not lacking
