import io
import sys

import pytest
from rich.table import Table
from umml_cli.console import accept_every_character, make_console, print_notes


def written(monkeypatch, encoding, text):
    """What arrives in a stream of an encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    accept_every_character()
    sys.stdout.write(text)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "image → text ± 文 ★"),
        ("cp1252", "image -> text ± \\u6587 *"),
        ("ascii", "image -> text +/- \\u6587 *"),
    ],
)
def test_what_a_stream_lacks_is_replaced(monkeypatch, encoding, shown):
    assert written(monkeypatch, encoding, "image → text ± 文 ★") == shown


def test_a_stream_that_is_no_text_file_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    accept_every_character()


def test_brackets_and_colons_of_names_are_printed(capsys):
    table = Table("[b]", title="[red]a[/]", caption="[/x]")
    table.add_row("umml-cli[ray] :smile:")
    make_console().print(table)
    print_notes(make_console(), ["no [/b] in names.npz"])
    shown = capsys.readouterr().out
    for text in ("[b]", "[red]a[/]", "[/x]", "umml-cli[ray] :smile:", "Note: no [/b] in names.npz"):
        assert text in shown
