"""The `umml` command: its commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys

import typer
from pydantic import ValidationError
from rich.console import Console

from umml_cli.commands import (
    data,
    evaluate,
    methods,
    new_method,
    quickstart,
    report,
    reproduce,
    runs,
    train,
    unpair,
)
from umml_cli.errors import RunsFailed, UserError, describe_os_error, describe_validation

EXIT_USER, EXIT_FAILED, EXIT_INTERRUPTED = 2, 1, 130

app = typer.Typer(
    name="umml",
    help="Cross-modal hashing with unpaired data: train, evaluate and reproduce.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(quickstart.quickstart)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(reproduce.reproduce)
app.command()(report.report)
app.add_typer(runs.runs, name="runs")
app.command()(unpair.unpair)
app.command()(methods.methods)
app.command()(new_method.new_method)
app.add_typer(data.data, name="data")


def main() -> None:
    """Run the command; errors end as one sentence on standard error and a non-zero status.

    Set the environment variable UMML_DEBUG to see where an error came from.
    """
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != EXIT_INTERRUPTED:  # typer's word for Ctrl-C
            raise
        screen.print("Stopped. What is complete is kept; run the same command again to continue.")
        sys.exit(EXIT_INTERRUPTED)
    except (UserError, RunsFailed, ValueError, OSError, MemoryError) as error:
        if os.environ.get("UMML_DEBUG"):
            raise
        message, status = explain(error)
        screen.print(
            f"[bold red]Error:[/] {message}" if screen.is_terminal else f"Error: {message}",
            markup=screen.is_terminal,
        )
        sys.exit(status)


def explain(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit status for an error."""
    match error:
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
