"""The `umml` command: its commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.text import Text
from typer.exceptions import TyperException

from umml_cli.commands import (
    data,
    encode,
    evaluate,
    export,
    features,
    index,
    methods,
    new_method,
    quickstart,
    rank,
    report,
    reproduce,
    runs,
    search,
    serve,
    train,
    unpair,
)
from umml_cli.commands.parser import Command, Group
from umml_cli.console import accept_every_character, make_console
from umml_cli.errors import RunsFailed, UserError, describe_os_error, describe_validation

EXIT_USER, EXIT_FAILED, EXIT_INTERRUPTED = 2, 1, 130

app = typer.Typer(
    name="umml",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    quickstart.quickstart,
    train.train,
    evaluate.evaluate,
    reproduce.reproduce,
    report.report,
    encode.encode,
    index.index,
    search.search,
    serve.serve,
    export.export,
    features.features,
    rank.rank,
    unpair.unpair,
    methods.methods,
    new_method.new_method,
):
    app.command(cls=Command)(_command)
app.add_typer(runs.runs, name="runs")
app.add_typer(data.data, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"umml {version('umml-cli')}")
        raise typer.Exit


@app.callback()
def umml(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Cross-modal hashing with unpaired data: train, evaluate and reproduce."""


def main() -> None:
    """Run the command; errors end as one sentence on standard error and a non-zero status.

    Set the environment variable UMML_DEBUG to see where an error came from.
    """
    accept_every_character()
    screen = make_console(stderr=True, soft_wrap=True)
    try:
        status = app(standalone_mode=False) or 0
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except (TyperException, UserError, RunsFailed, ValueError, OSError, MemoryError) as error:
        if os.environ.get("UMML_DEBUG"):
            raise
        message, status = explain(error)
        if message:
            screen.print(Text.assemble(("Error:", "bold red"), " ", message))
    if status == EXIT_INTERRUPTED:
        screen.print("Stopped. What is complete is kept; run the same command again to continue.")
    sys.exit(status)


def explain(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit status for an error."""
    match error:
        case TyperException():
            return _explain_usage(error), EXIT_USER
        case ValidationError():
            return f"{describe_validation(error)}.", EXIT_USER
        case UserError() | ValueError():
            return str(error), EXIT_USER
        case RunsFailed():
            return str(error), EXIT_FAILED
        case OSError():
            return describe_os_error(error), EXIT_FAILED
        case _:
            return (
                "There is not enough memory; use a smaller batch, fewer workers or a smaller data set.",
                EXIT_FAILED,
            )


def _explain_usage(error: Any) -> str:
    """What is wrong with the arguments; a command without any shows its help instead."""
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return ""
    where = "" if context is None else f"; see {context.command_path} --help"
    return f"{error.format_message().replace('Value error, ', '').rstrip('.?')}{where}."
