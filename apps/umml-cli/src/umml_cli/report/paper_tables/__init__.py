"""The paper's tables from our runs, with the published number and the difference beside each.

One module for each kind of table; `KINDS` names them as experiments do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.report.paper_tables.best import best_tables
from umml_cli.report.paper_tables.cells import cells_tables, conditions_table
from umml_cli.report.paper_tables.classes import class_tables
from umml_cli.report.paper_tables.completion import completion_tables
from umml_cli.report.paper_tables.leaderboard import leaderboard_tables
from umml_cli.report.paper_tables.ranked import ranked_tables
from umml_cli.report.paper_tables.table import Exhibited
from umml_cli.report.paper_tables.unpaired import unpaired_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from umml_cli.grid.experiment import Experiment, TableKind
    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.series import Series

__all__ = ["KINDS", "cells_tables_of", "conditions_table", "paper_tables"]

KINDS: Mapping[TableKind, Callable[[Exhibited], list[PaperTable]]] = {
    "cells": cells_tables,
    "best": best_tables,
    "unpaired": unpaired_tables,
    "classes": class_tables,
    "completion": completion_tables,
    "leaderboard": leaderboard_tables,
    "ranked": ranked_tables,
}


def cells_tables_of(name: str, experiment: Experiment, all_series: Sequence[Series]) -> list[PaperTable]:
    """Return the numbers behind the figures of an experiment, a column for each cell.

    Args:
        name: the experiment's name.
        experiment: what to show.
        all_series: the numbers.
    """
    shown = experiment.shown(all_series)
    return cells_tables(Exhibited(name, experiment, shown, {})) if shown else []


def paper_tables(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    *,
    label_names: Mapping[str, Sequence[str]],
) -> list[PaperTable]:
    """Return the tables of an experiment; cells that are not run yet stay open.

    Args:
        name: the experiment's name.
        experiment: what to show.
        all_series: the numbers; those of other data sets, methods and code lengths are left out.
        label_names: data set to the names of its labels.
    """
    shown = experiment.shown(all_series)
    if not shown or experiment.table is None:
        return []
    return KINDS[experiment.table](Exhibited(name, experiment, shown, label_names))
