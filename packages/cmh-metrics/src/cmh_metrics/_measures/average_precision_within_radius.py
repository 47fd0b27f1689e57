"""Average precision within a Hamming radius, of 2 as a rule: "MAP@H<=2"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import tables_of
from cmh_metrics._backends.precisions import scores_of_tables
from cmh_metrics._definition import EMPTY, Definition, treat_empty
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import non_negative_integer, one_of
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._measure import Measure, Ranked

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import Empty, Scores
    from cmh_metrics._inputs.tables import RankingTables

TableTies = Literal["expected", "best", "worst"]


@shared_arguments(TableArguments)
def average_precision_within_radius(
    *,
    radius: int = 2,
    ties: TableTies = "expected",
    no_relevant: Empty = "zero",
    **ranking: Unpack[TableArguments],
) -> Scores:
    """Return the average precision of the items within a Hamming radius (Deep Cauchy Hashing, CVPR 2018).

    The sum of precisions is divided by the relevant items within the radius.

    Args:
        radius: in bits, at least 0; at the code length or beyond, everything is inside.
        ties: `"expected"`: the mean over all orders of equally distant items. `"best"`, `"worst"`: the
            relevant ones first, or last, among them.
        no_relevant: what a query counts that finds nothing relevant within the radius: `"zero"`, `"nan"`, or
            it is left out (`"skip"`).

    Returns:
        `(n_query,)` float64 in [0, 1], shorter if queries are skipped; their mean is the measure.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> average_precision_within_radius(
        ...     radius=1,
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1], [-1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1], [1]],
        ... )
        array([0.5])
    """
    non_negative_integer(radius, "radius")
    one_of(ties, "ties", get_args(TableTies))
    one_of(no_relevant, "no_relevant", EMPTY)
    compute = Compute.resolve(ranking.get("backend", "auto"), ranking.get("threads"))
    return treat_empty(_scores(tables_of(**ranking), radius, ties, compute.threads), no_relevant)


def _scores(tables: RankingTables, radius: int, ties: TableTies, threads: int) -> Scores:
    """Return `(n_query,)` scores, NaN with nothing relevant inside."""
    inside = np.arange(tables.bits + 1) <= radius
    cut = replace(tables, retrieved=tables.retrieved * inside, relevant=tables.relevant * inside)
    return scores_of_tables(cut, Definition(ties=ties), threads)


def _reported(ranked: Ranked) -> float:
    return float(treat_empty(_scores(ranked.tables, 2, "expected", ranked.compute.threads), "zero").mean())


MEASURE = Measure("map_within_radius_2", "mAP, radius 2", _reported)
