import doctest
import inspect
import pkgutil
import re
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


@pytest.mark.parametrize("name", [name for name in cmh_metrics.__all__ if name.islower()])
def test_every_argument_is_described_with_the_shape_of_its_arrays(name):
    function = getattr(cmh_metrics, name)
    described = dict(
        re.findall(r"^    (\w+): (.*?)(?=^    \w|^\w|\Z)", inspect.getdoc(function), re.MULTILINE | re.DOTALL)
    )
    parameters = inspect.signature(function).parameters
    assert set(parameters) <= set(described)
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    for argument in set(parameters) & {"query_codes", "database_codes", "query_labels", "database_labels"}:
        assert re.match(r"`\(n_(query|database),", described[argument])
