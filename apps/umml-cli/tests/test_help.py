"""What `--help` shows of every command."""

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner
from umml_cli.main import app

WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}


def leaves(command, path=()):
    """Path and command of everything that can be run."""
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


COMMANDS = dict(leaves(get_command(app)))


def helped(path):
    done = CliRunner().invoke(app, [*path, "--help"], env=WIDE)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example_every_bracket_and_no_type_beside_flags(path):
    shown = helped(path)
    assert f"Example: umml {' '.join(path)}" in shown
    assert "<bool>" not in shown
    texts = [
        COMMANDS[path].callback.__doc__,
        *(getattr(one, "help", None) or "" for one in COMMANDS[path].params),
    ]
    for bracket in re.findall(r"(?<!\\)\[[a-z]+\]", " ".join(texts)):
        assert bracket in shown


@pytest.mark.parametrize("path", [(), ("runs",), ("data",), *COMMANDS], ids=" ".join)
def test_no_help_page_holds_an_emoji(path):
    """Rich turns `:KEY:` in a help text into a picture of a key."""
    shown = helped(path)
    assert [one for one in shown if ord(one) >= 0x1F000 or 0x2600 <= ord(one) <= 0x27BF] == []


@pytest.mark.parametrize(
    ("path", "choices"),
    [
        (("train",), ["cpu|cuda", "float32|bf16|float64", "none|auto|label|neighbour"]),
        (("reproduce",), ["cpu|cuda", "float32|bf16|float64", "last|paper"]),
        (
            ("evaluate",),
            ["expected|best|worst|index", "zero|skip|skip-no-hit", "auto|signed|binary", "retrieved@K"],
        ),
        (("report",), ["last|paper"]),
        (("data", "inspect"), ["auto|height-width|width-height"]),
        (("data", "build"), ["auto|cpu|cuda"]),
        (("features",), ["auto|cpu|cuda", "auto|float32|float16|bfloat16"]),
    ],
)
def test_help_lists_choices(path, choices):
    shown = helped(path)
    for choice in choices:
        assert choice in shown


def test_an_option_means_the_same_everywhere():
    """Equal names have equal types; `--plan` only shows, `--out` is where results lie."""
    types = {}
    for path, command in COMMANDS.items():
        for parameter in command.params:
            for name in parameter.opts:
                if name.startswith("--"):
                    types.setdefault(name, {})[path] = getattr(parameter, "is_flag", False)
    assert {name for name, flags in types.items() if len(set(flags.values())) > 1} == set()
    assert types["--plan"] == {("reproduce",): True, ("unpair",): True}
    assert set(types["--method"]) == {("train",), ("rank",), ("reproduce",)}


def test_the_version_is_shown():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert re.fullmatch(r"umml \d+\.\d+\.\d+\n", done.stdout)
