"""`umml report`: tables, figures and report of a folder once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def report(
    folder: Annotated[Path, typer.Argument(help="Output folder of umml reproduce.")] = Path("umml-reproduce"),
    selection: Annotated[
        str | None,
        typer.Option(help="Which epoch stands in the tables: last or paper; as before if not given."),
    ] = None,
) -> None:
    """Write tables, figures and report from the runs that are complete, without running anything.

    Data sets are read again for sample retrievals; one that is gone or has changed is done without.

    Example: umml report umml-reproduce --selection paper
    """
    from umml_cli.errors import UserError
    from umml_cli.grid.reproduction import Reproduction
    from umml_cli.report.outputs import write_reproduction

    if selection not in {None, "last", "paper"}:
        raise UserError(f"--selection is last or paper, not {selection!r}.")
    console = Console(highlight=False)
    reproduction = Reproduction.load(folder)
    if selection is not None:
        reproduction = reproduction.model_copy(update={"selection": selection})
    datasets, notes = reproduction.open_data({})
    for note in notes:
        console.print(f"Note: {note}", markup=False, soft_wrap=True)
    write_reproduction(reproduction, folder, datasets)
    console.print(f"Tables: {folder / 'tables'}    Report: {folder / 'report.html'}", soft_wrap=True)
