"""The figures that papers of this field print, each as PNG, SVG and PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.errors import UserError
from umml_cli.report.figures.classes import class_figure
from umml_cli.report.figures.compared import slug
from umml_cli.report.figures.drawing import save_figure
from umml_cli.report.figures.rankings import ranking_figures
from umml_cli.report.figures.values import (
    against_bits,
    against_share,
    map_value,
    radius_value,
    schemes_of,
    share_figure,
)
from umml_cli.runs.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from umml_cli.results.series import Series
    from umml_cli.terms import FigureKind

__all__ = ["draw_figures", "save_figure", "share_figure"]

WITHIN_2 = "precision, radius 2"


def draw_figures(
    kind: FigureKind, shown: Sequence[Series], *, label_names: Mapping[str, Sequence[str]]
) -> list[tuple[str, Figure]]:
    """Draw the figures of one kind.

    Args:
        kind: of figure.
        shown: the numbers.
        label_names: data set to the names of its labels.

    Returns:
        Suffix of the file's name and figure; cells that are not run yet are left out.

    Raises:
        UserError: these runs cannot give such a figure, whatever else is run of them.
    """
    lengths = {series.bits for series in shown}
    match kind:
        case "curves":
            if not schemes_of(shown):
                raise UserError("The figure curves shows shares of affected pairs, but these runs have none.")
            return [("", against_share(shown, map_value, y_label="mAP", published=True))]
        case "bits":
            if len(lengths) < 2:
                raise UserError(
                    "The figure bits needs two code lengths or more, but these runs have "
                    f"{min(lengths)} bits alone; give --bits twice, or bits = [16, 32, 64] in the experiment."
                )
            return against_bits(shown, map_value, y_label="mAP")
        case "radius-2":
            if len(lengths) > 1 or not schemes_of(shown):
                return against_bits(shown, radius_value, y_label=WITHIN_2)
            return [("", against_share(shown, radius_value, y_label=WITHIN_2))]
        case "classes":
            several = len(shown) > 1
            figures = [
                (
                    slug(series.dataset, series.method, str(series.bits)) if several else "",
                    class_figure(series, label_names.get(series.dataset, ())),
                )
                for series in shown
                if (Cell.of("paired"), "i2t") in series.scores and any(cell.percent for cell in series.cells)
            ]
            if not figures:
                raise UserError(
                    "The figure classes shows changes against paired training, but no method here has a "
                    "paired run and one with other pairs."
                )
            return figures
        case _:
            return ranking_figures(kind, shown)
