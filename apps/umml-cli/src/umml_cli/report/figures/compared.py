"""Which lines stand in one figure: the methods in one condition, or the conditions of one method."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from umml_cli.results.series import Series
    from umml_cli.runs.cells import Cell

MOST_LINES = 8
"""Conditions of one method that one figure shows; where there are more, each scheme has its own."""


@dataclass(frozen=True)
class Entrant:
    """A method in one setting on one data set, with its code lengths.

    Args:
        label: in a legend.
        by_bits: code length to its numbers.
    """

    label: str
    by_bits: Mapping[int, Series]

    @property
    def cells(self) -> list[Cell]:
        """The cells of any code length."""
        return list(dict.fromkeys(cell for series in self.by_bits.values() for cell in series.cells))


@dataclass(frozen=True)
class Comparison:
    """The lines of one figure.

    Args:
        suffix: what tells its file from those of the other comparisons; "" for the only one.
        title: what all lines have in common.
        lines: label, method and cell of each.
    """

    suffix: str
    title: str
    lines: Sequence[tuple[str, Entrant, Cell]]


def entrants(shown: Sequence[Series]) -> list[Entrant]:
    """Return the methods of one data set, in order."""
    found: dict[tuple[str, str], dict[int, Series]] = {}
    for series in shown:
        found.setdefault((series.method, series.variant), {})[series.bits] = series
    return [Entrant(_label(next(iter(by_bits.values()))), by_bits) for by_bits in found.values()]


def _label(series: Series) -> str:
    return f"{series.method_title} ({series.variant})" if series.variant else series.method_title


def by_dataset(shown: Sequence[Series]) -> dict[str, list[Series]]:
    """Return the series of each data set."""
    found: dict[str, list[Series]] = {}
    for series in shown:
        found.setdefault(series.dataset, []).append(series)
    return found


def comparisons(shown: Sequence[Series]) -> Iterator[Comparison]:
    """Yield what stands in one figure: the methods in a trained cell, or the cells of the only method."""
    datasets = by_dataset(shown)
    for dataset, here in datasets.items():
        methods = entrants(here)
        cells = list(dict.fromkeys(cell for one in methods for cell in one.cells))
        trained = [cell for cell in cells if cell.trained] or cells
        if len(methods) == 1:
            groups = {
                scheme: [(cell.title, methods[0], cell) for cell in group]
                for scheme, group in _by_scheme(cells).items()
            }
            titles = dict.fromkeys(groups, f"{methods[0].label} on {dataset}")
        else:
            groups = {
                cell.title: [(one.label, one, cell) for one in methods if cell in one.cells]
                for cell in trained
            }
            titles = {title: f"{dataset}, {title}" for title in groups}
        for name, lines in groups.items():
            parts = [dataset if len(datasets) > 1 else "", name if len(groups) > 1 else ""]
            yield Comparison(slug(*parts), titles[name], lines)


def _by_scheme(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of one method in figures: all in one, or those of each scheme between the two extremes."""
    extremes = {"paired", "untrained"}
    schemes = list(dict.fromkeys(cell.scheme for cell in cells if cell.scheme not in extremes))
    if len(cells) <= MOST_LINES or len(schemes) < 2:
        return {"": list(cells)}
    return {scheme: [cell for cell in cells if cell.scheme in {scheme, *extremes}] for scheme in schemes}


def slug(*parts: str) -> str:
    """Join what can stand in a file's name.

    Example:
        >>> slug("emoji", "", "UI 60%, completed")
        'emoji-UI-60-completed'
    """
    return "-".join(re.sub(r"[^\w.]+", "-", part).strip("-") for part in parts if part)
