"""`umml evaluate`: score the codes of a run, or codes that come from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="A run folder made by umml.")] = None,
) -> None:
    """Score binary codes.

    Example: umml evaluate runs/0123456789abcdef
    """
    from umml_cli.codes import RunCodes
    from umml_cli.errors import UserError
    from umml_cli.store import RunFolder

    console = Console(highlight=False)
    if run is None:
        raise UserError("Give a run folder.")
    folder = RunFolder(run)
    if not folder.codes.exists():
        raise UserError(f"{run} holds no codes.npz; give the folder of a finished run.")
    RunCodes.load(folder.codes)
    console.print("")
