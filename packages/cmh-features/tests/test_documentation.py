from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import cmh_features
import numpy as np
import pytest

MODULES = [module.name for module in pkgutil.iter_modules(cmh_features.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"cmh_features.{name}"))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(f"cmh_features.{name}") for name in MODULES]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 3


def test_every_public_name_is_documented():
    for name in cmh_features.__all__:
        assert getattr(cmh_features, name).__doc__, name


def test_the_readme_runs(capsys):
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(code, {})  # noqa: S102 - the example of our own README
    printed = capsys.readouterr().out
    assert "(5, 6) float32" in printed
    assert "2  is empty\n3  is missing" in printed


def test_the_page_on_adding_an_encoder_runs():
    page = Path(__file__).parent.parent / "docs" / "adding-an-encoder.md"
    if not page.exists():
        pytest.skip("the page is not part of the wheel")
    names = {"__name__": "my_encoder"}
    exec(re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1], names)  # noqa: S102
    encoder = names["SPEC"].build(cmh_features.EncoderRequest("mean-colour"))
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    assert encoder.encode_images([red, None]).features.tolist() == [[255, 0, 0], [0, 0, 0]]
