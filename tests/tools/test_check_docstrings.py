import importlib
import inspect

import check_docstrings
import pytest

COMPLETE = '''
"""Measures something."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from fake._helpers import FakeError, check

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from fake._helpers import Codes

    Words = list[str]

Rule = Literal["best", "worst"]
"""How ties are ordered."""

#: Number of bits where nothing else is said.
BITS = 64


def rank(codes: Codes, *, bits: int = BITS, rule: Rule = "best", _cache: int = 0) -> NDArray[int]:
    """Return the order of items.

    Args:
        codes: `(n, bits)` float32, a value of zero or more
            is a one.
        bits: how many of them count, `>= 1`.
        rule: how ties are ordered.

    Returns:
        `(n,)` int64, row numbers.

    Raises:
        FakeError: there are no codes.

    Example:
        >>> 1 + 1
        2
    """
    check(codes)
    return codes


class Kind(StrEnum):
    """Kinds of ranking."""

    FAST = "fast"


class Ranker(Protocol):
    """Anything that ranks."""

    def __call__(self) -> None: ...


@dataclass(frozen=True)
class Record:
    """What a ranking found.

    Attributes:
        distances: `(n,)` int32, in bits.
        name: of the data.
    """

    distances: NDArray[int]
    name: str

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.distances)


class Index:
    """Codes that answer.

    Args:
        path: where they lie.

    Example:
        >>> "index"
        'index'
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def to_json(self) -> str:
        """Return the index as JSON."""
        return ""
'''
HELPERS = '''
from numpy.typing import NDArray

Codes = NDArray[float] | None


class FakeError(ValueError):
    """Input that is not as described."""


def check(codes):
    if codes is None:
        raise FakeError("codes must be given")
'''
NAMES = ["BITS", "FakeError", "Index", "Kind", "Ranker", "Record", "Rule", "rank"]


def run(folder, capsys, source=COMPLETE, names=NAMES):
    package = folder / "fake"
    package.mkdir()
    (package / "_module.py").write_text(source)
    (package / "_helpers.py").write_text(HELPERS)
    (package / "__init__.py").write_text(
        "from fake._helpers import FakeError\nfrom fake._module import *\n".replace(
            "*", ", ".join(set(NAMES) - {"FakeError"})
        )
        + f"__all__ = {names}\n"
    )
    status = check_docstrings.main(["fake"], [folder])
    return status, capsys.readouterr().out


def test_a_package_that_says_everything_passes(tmp_path, capsys):
    status, out = run(tmp_path, capsys)
    assert out == "fake: 10 names, 0 lacks\n"
    assert status == 0


@pytest.mark.parametrize(
    ("removed", "inserted", "complaint"),
    [
        ('"""Return the order of items.', '"""Return the order of items', "rank lacks a summary"),
        ("        bits: how many of them count, `>= 1`.\n", "", "rank lacks an entry for `bits`"),
        (
            "`(n, bits)` float32",
            "(n, bits) float32",
            "shape in backticks, as `(n, bits)`, in the entry for `codes`",
        ),
        (
            "`(n, bits)` float32",
            "`(n, bits)`",
            "a dtype, as float32 or bool or 'any numeric dtype', in the entry",
        ),
        ("`(n,)` int64, row", "int64, row", "rank lacks a shape in backticks, as `(n, bits)`, in Returns:"),
        ("    Returns:\n        `(n,)` int64, row numbers.\n", "", "rank lacks Returns:"),
        (
            "    Raises:\n        FakeError: there are no codes.\n",
            "",
            "rank lacks Raises: (perhaps FakeError",
        ),
        ("        >>> 1 + 1\n        2\n", "", "rank lacks an Example: with a >>> line that runs"),
        ("        >>> 1 + 1\n        2\n", "        >>> f()  # doctest: +SKIP\n", "rank lacks an Example:"),
        (">>> 1 + 1\n", ">>> (1 + 1\n", "rank lacks an Example: that can be parsed"),
        ("    check(codes)\n", "    raise KeyError('x')\n", "rank lacks Raises: KeyError"),
        ('"""How ties are ordered."""\n', "", "Rule lacks a docstring: a string below it"),
        ("#: Number", "# Number", "BITS lacks a docstring"),
        ('    """Kinds of ranking."""\n', "", "Kind lacks a docstring"),
        ('    """Anything that ranks."""\n', "", "Ranker lacks a docstring"),
        ("        distances: `(n,)` int32, in bits.\n", "", "Record lacks an entry for `distances`"),
        ("`(n,)` int32, in bits", "`(n,)`, in bits", "Record lacks a dtype"),
        ('        """Number of items."""\n', "", "Record.n lacks a docstring"),
        ("        path: where they lie.\n", "", "Index lacks an entry for `path`"),
        ("        >>> \"index\"\n        'index'\n", "", "Index lacks an Example: with a >>> line"),
        ("Return the index as JSON.", "Write JSON.", "Index.to_json lacks Returns:"),
    ],
)
def test_each_thing_that_is_missing_is_named(tmp_path, capsys, removed, inserted, complaint):
    assert removed in COMPLETE
    status, out = run(tmp_path, capsys, COMPLETE.replace(removed, inserted, 1))
    assert complaint in out
    assert out.count(" lacks ") == 1, out
    assert status == 1


def test_a_caught_exception_needs_no_entry(tmp_path, capsys):
    caught = "    try:\n        check(codes)\n    except ValueError:\n        pass\n"
    source = COMPLETE.replace("    check(codes)\n", caught)
    source = source.replace("    Raises:\n        FakeError: there are no codes.\n", "")
    assert run(tmp_path, capsys, source)[0] == 0


def test_the_entry_of_a_base_class_covers_what_is_raised(tmp_path, capsys):
    source = COMPLETE.replace("    check(codes)\n", "    raise FakeError('x')\n")
    assert run(tmp_path, capsys, source.replace("FakeError: there", "ValueError: there"))[0] == 0


def test_any_is_an_array_where_the_name_says_so(tmp_path, capsys):
    source = COMPLETE.replace("codes: Codes", "query_codes: Any").replace(
        "        codes: `(n, bits)` float32,", "        query_codes:"
    )
    status, out = run(tmp_path, capsys, source)
    assert "shape in backticks, as `(n, bits)`, in the entry for `query_codes`" in out
    assert status == 1


@pytest.mark.parametrize(
    ("default", "status"), [("0.1", 1), ("Field(0.1, gt=0)", 1), ("Field(0.1, description='Of Adam.')", 0)]
)
def test_an_option_of_a_method_is_described_in_its_field(tmp_path, capsys, default, status):
    source = f'''
class MethodConfig(BaseModel): ...


class Config(MethodConfig):
    """Options.

    Example:
        >>> 1
        1
    """

    rate: float = {default}
'''
    (tmp_path / "fake.py").write_text(source + '__all__ = ["Config"]')
    assert check_docstrings.main(["fake"], [tmp_path]) == status
    assert ("Config.rate lacks Field(description=...)" in capsys.readouterr().out) is bool(status)


@pytest.mark.parametrize(
    ("package", "message"), [("absent", "no package below"), ("silent", "has no __all__")]
)
def test_a_package_that_exports_nothing_is_an_error(tmp_path, capsys, package, message):
    (tmp_path / "silent.py").write_text("x = 1\n")
    assert check_docstrings.main([package], [tmp_path]) == 1
    assert message in capsys.readouterr().out


def test_a_name_without_definition_is_reported(tmp_path, capsys):
    assert run(tmp_path, capsys, names=["rank", "gone"])[0] == 1


def test_naming_no_package_is_an_error(capsys):
    assert check_docstrings.main([]) == 1
    assert "at least one package" in capsys.readouterr().out


def test_arguments_that_a_decorator_describes_are_in_the_finished_docstring():
    """The sources of `shared_arguments` functions do not show them, so they are looked at when imported."""
    package = importlib.import_module("cmh_metrics")
    functions = [
        getattr(package, name) for name in package.__all__ if inspect.isfunction(getattr(package, name))
    ]
    assert len(functions) > 10
    for function in functions:
        entries = check_docstrings.take_apart(function.__doc__).entries("Args")
        assert set(inspect.signature(function).parameters) <= entries.keys(), function.__name__
