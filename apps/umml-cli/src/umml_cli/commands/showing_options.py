"""Options of how results are shown, the same for every command that writes tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from umml_cli.terms import FIGURE_TITLES, FigureKind, LatexWidth, Selection, Spread

SelectionOption = Annotated[
    Selection | None,
    typer.Option(
        help="Which epoch stands in the tables: the last, or as in the paper the best on the queries; "
        "if not given, the choice last used in this folder."
    ),
]
SpreadOption = Annotated[
    Spread | None,
    typer.Option(
        help="What ± and error bars show: standard deviation over seeds (sd, the default) or the 95% CI; "
        "if not given, the choice last used in this folder."
    ),
]
LatexWidthOption = Annotated[
    LatexWidth | None,
    typer.Option(
        help="What LaTeX tables fit: one column of a paper with two, or the page (the default); "
        "if not given, the choice last used in this folder."
    ),
]


def _checked(root: Path | None) -> Path | None:
    from umml_cli.inputs.picture_files import check_pictures

    return None if root is None else check_pictures(root)


PictureFolderOption = Annotated[
    Path | None,
    typer.Option(
        callback=_checked,
        help="Folder or zip file of the data's pictures, whose ids are paths in it; shown in the report.",
    ),
]
PicturesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pictures",
        metavar="NAME=PATH",
        help="Folder or zip file of a data set's pictures, whose ids are their paths in it; shown in the "
        "report. A path alone where there is one data set. Repeatable.",
    ),
]
FigureOption = Annotated[
    list[str] | None,
    typer.Option(
        "--figure",
        metavar="|".join(FIGURE_TITLES),
        help="Also draw this kind of figure, as PNG, SVG and PDF. Repeatable.",
    ),
]


def figure_kinds(given: list[str] | None) -> list[FigureKind]:
    """Return the kinds of figure that were named, in lower case; `top-n,bits` are two.

    Raises:
        UserError: one is none.
    """
    from umml_cli.errors import UserError, did_you_mean

    names = [name.strip().lower() for one in given or () for name in one.split(",")]
    for name in names:
        if name not in FIGURE_TITLES:
            near = did_you_mean(name, FIGURE_TITLES)
            raise UserError(
                f"--figure must be one of {', '.join(FIGURE_TITLES)}, but it is {name!r}{near or '.'}"
            )
    return cast("list[FigureKind]", names)
