"""The one way to the screen: text as it is, in whatever encoding the stream has."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = {
    "→": "->",
    "−": "-",
    "×": "x",
    "±": "+/-",
    "★": "*",
    "·": "-",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
}
"""What stands for characters of ours that a stream cannot show."""


def make_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Make a console that prints text as it is: square brackets and colons in names are no markup.

    Args:
        stderr: write to standard error.
        soft_wrap: leave long lines to the terminal.

    Returns:
        The console; what is to be bold is a `rich.text.Text`.
    """
    return Console(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)


def as_text(value: Any) -> str:
    """Return a value of JSON as people write it: lists with commas, no brackets or quotes.

    Example:
        >>> as_text([512, 256]), as_text(None), as_text({"i2t": 0.5}), as_text(1e-06), as_text(True)
        ('512, 256', '-', 'i2t 0.5', '1e-06', 'yes')
    """
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {as_text(one)}" for name, one in value.items())
        case list() | tuple():
            return ", ".join(map(as_text, value))
        case float():
            return f"{value:.6g}"
    return str(value)


def print_notes(console: Console, notes: Iterable[str]) -> None:
    """Print sentences that a user should know, a line for each."""
    for note in notes:
        console.print(f"Note: {note}", soft_wrap=True)


def accept_every_character() -> None:
    r"""Let standard output and standard error replace what their encoding lacks, rather than fail.

    An arrow becomes `->`, a Chinese label name becomes escapes such as `\u6587`. What a command does is done
    by then: a finished training must not end as an error because of its last line.
    """
    codecs.register_error("umml.plain", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="umml.plain")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or _escape(one) for one in text), error.end


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()
