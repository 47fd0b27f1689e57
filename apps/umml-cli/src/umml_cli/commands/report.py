"""`umml report`: tables, figures and report of a folder once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umml_cli.commands.showing_options import (
    FigureOption,
    LatexWidthOption,
    PicturesOption,
    SelectionOption,
    SpreadOption,
    figure_kinds,
)
from umml_cli.console import make_console, print_notes


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Output folder of umml reproduce, quickstart or train; if not given, the only one in "
            "the current folder."
        ),
    ] = None,
    selection: SelectionOption = None,
    spread: SpreadOption = None,
    figure: FigureOption = None,
    latex_width: LatexWidthOption = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            help="Where a data set lies, if the folder does not know or it has moved. Repeatable.",
        ),
    ] = None,
    pictures: PicturesOption = None,
    pdf: Annotated[
        bool,
        typer.Option("--pdf", help="Also compile report.tex, all tables and figures, to a PDF by pdflatex."),
    ] = False,
    leaderboard: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE.md",
            help="Write this page instead, with every method beside the others: mean and interval, who is "
            "significantly behind the best, seconds. The folder stays as it is.",
        ),
    ] = None,
) -> None:
    """Write tables, figures and report from the runs that are complete, without running anything.

    Data sets are read again for retrieval examples; one that is missing or has changed is skipped. The folder
    of a single run gets a report of that run.

    Example: umml report umml-reproduce --selection paper --spread interval

    Example: umml report runs --figure precision-recall --figure top-n

    Example: umml report runs --data photos=photos.h5 --pictures photos=photos/

    Example: umml report umml-reproduce --pdf

    Example: umml report umml-reproduce --leaderboard leaderboard.md
    """
    from umml_cli.errors import refuse
    from umml_cli.report.latex_document import compile_document
    from umml_cli.report.leaderboard_page import write_leaderboard
    from umml_cli.report.outputs import rewrite_outputs, written_to
    from umml_cli.report.run_details import the_output_folder

    console = make_console()
    folder = the_output_folder(folder)
    if leaderboard is not None:
        others = {"--figure": figure, "--latex-width": latex_width, "--data": data, "--pictures": pictures,
                  "--pdf": pdf}  # fmt: skip
        refuse(
            others, "does not go with --leaderboard, which writes one page of tables; leave one of them out"
        )
        n_complete, n_runs = write_leaderboard(folder, leaderboard, selection, spread)
        console.print(f"{leaderboard}: {n_complete:,} of {n_runs:,} runs", soft_wrap=True)
        return
    shown = {"selection": selection, "spread": spread, "latex_width": latex_width}
    notes = rewrite_outputs(
        folder, shown, figures=figure_kinds(figure), data=data or (), pictures=pictures or ()
    )
    print_notes(console, notes)
    said = written_to(folder)
    if pdf:
        said.append(f"PDF: {compile_document(folder)}")
    console.print("    ".join(said), soft_wrap=True)
