"""Precision within a Hamming radius, of 2 as a rule: "P@H<=2", hash lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_metrics._backends.backends import tables_of
from cmh_metrics._definition import EMPTY, treat_empty
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import non_negative_integer, one_of
from cmh_metrics._measure import Measure, Ranked

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import Empty, Scores
    from cmh_metrics._inputs.tables import RankingTables


@shared_arguments(TableArguments)
def precision_within_radius(
    *, radius: int = 2, nothing_inside: Empty = "zero", **ranking: Unpack[TableArguments]
) -> Scores:
    """Return the share of relevant items among those within a Hamming radius (HashNet, ICCV 2017, figure 2).

    Args:
        radius: in bits, at least 0; at the code length or beyond, everything is inside.
        nothing_inside: what a query counts that finds nothing at all within the radius: `"zero"`, as the
            field has it, `"nan"`, or it is left out (`"skip"`).

    Returns:
        `(n_query,)` float64 in [0, 1], shorter if queries are skipped.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> precision_within_radius(
        ...     radius=1,
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1], [-1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1], [1]],
        ... )
        array([0.5])
    """
    non_negative_integer(radius, "radius")
    one_of(nothing_inside, "nothing_inside", EMPTY)
    return treat_empty(_scores(tables_of(**ranking), radius), nothing_inside)


def _scores(tables: RankingTables, radius: int) -> Scores:
    """Return `(n_query,)` scores, NaN where nothing is inside."""
    inside = slice(0, radius + 1)
    with np.errstate(invalid="ignore"):  # 0 / 0
        scores: Scores = tables.relevant[:, inside].sum(axis=1) / tables.retrieved[:, inside].sum(axis=1)
    return scores


def _reported(ranked: Ranked) -> float:
    return float(treat_empty(_scores(ranked.tables, 2), "zero").mean())


MEASURE = Measure("precision_within_radius_2", "precision, radius 2", _reported)
