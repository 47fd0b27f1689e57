"""Recall of the first k items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_metrics._backends.relevant_found import found_in_tables, relevant_found
from cmh_metrics._definition import EMPTY, treat_empty
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import cut_offs, one_of
from cmh_metrics._measure import Measure, Ranked, by_cut_off

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Unpack

    from cmh_metrics._definition import Empty, Scores, Ties


@shared_arguments(TableArguments)
def recall_at(
    *,
    ks: Sequence[int],
    ties: Ties = "expected",
    no_relevant: Empty = "zero",
    **ranking: Unpack[TableArguments],
) -> Scores:
    """Return the share of a query's relevant items that is among the first k, for several k.

    Returns:
        `(n_query, len(ks))` float64, with fewer rows if queries are skipped.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> recall_at(
        ...     ks=[1, 2],
        ...     query_codes=[[1]],
        ...     database_codes=[[1], [-1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[1], [1]],
        ... )
        array([[0.5, 1. ]])
    """
    one_of(no_relevant, "no_relevant", EMPTY)
    return treat_empty(_shares(*relevant_found(cut_offs(ks), ties, ranking)), no_relevant)


def _shares(found: Scores, n_relevant: Any) -> Scores:
    """Return found items as shares of all relevant ones, NaN where there is none."""
    with np.errstate(invalid="ignore"):  # 0 / 0
        shares: Scores = found / n_relevant[:, None]
    return shares


def _reported(ranked: Ranked) -> dict[int | None, float]:
    found = found_in_tables(ranked.tables, ranked.ks, "expected")
    shares = treat_empty(_shares(found, ranked.tables.relevant.sum(axis=1)), "zero")
    return by_cut_off(ranked.ks, shares.mean(axis=0))


MEASURE = Measure("recall_at", "recall", _reported)
