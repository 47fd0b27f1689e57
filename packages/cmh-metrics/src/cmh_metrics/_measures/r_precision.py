"""R-precision: the precision of as many items as there are relevant ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import tables_of
from cmh_metrics._backends.relevant_found import found_in_tables
from cmh_metrics._definition import EMPTY, treat_empty
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import one_of
from cmh_metrics._measure import Measure, Ranked

if TYPE_CHECKING:
    from typing import Unpack

    from cmh_metrics._definition import Empty, Scores
    from cmh_metrics._inputs.tables import RankingTables

TableTies = Literal["expected", "best", "worst"]


@shared_arguments(TableArguments)
def r_precision(
    *, ties: TableTies = "expected", no_relevant: Empty = "zero", **ranking: Unpack[TableArguments]
) -> Scores:
    """Return the precision of the first R items, R being the number of relevant items of the query (TREC).

    At this cut-off precision and recall are equal.

    Args:
        ties: `"expected"`: the mean over all orders of equally distant items. `"best"`, `"worst"`: the
            relevant ones first, or last, among them.

    Returns:
        `(n_query,)` float64 in [0, 1], shorter if queries are skipped.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> r_precision(
        ...     query_codes=[[1, 1]],
        ...     database_codes=[[1, 1], [1, -1], [-1, -1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[0], [1], [1]],
        ... )
        array([0.5])
    """
    one_of(ties, "ties", get_args(TableTies))
    one_of(no_relevant, "no_relevant", EMPTY)
    return treat_empty(_scores(tables_of(**ranking), ties), no_relevant)


def _scores(tables: RankingTables, ties: str) -> Scores:
    """Return `(n_query,)` scores, NaN without a relevant item."""
    n_relevant = tables.relevant.sum(axis=1, keepdims=True)  # (n_query, 1): a cut-off of its own for each
    with np.errstate(invalid="ignore"):  # 0 / 0
        scores: Scores = (found_in_tables(tables, [n_relevant], ties) / n_relevant)[:, 0]
    return scores


def _reported(ranked: Ranked) -> float:
    return float(treat_empty(_scores(ranked.tables, "expected"), "zero").mean())


MEASURE = Measure("r_precision", "R-precision", _reported)
