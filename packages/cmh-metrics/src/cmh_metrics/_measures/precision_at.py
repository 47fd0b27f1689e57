"""Precision of the first k items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_metrics._backends.relevant_found import found_in_tables, relevant_found
from cmh_metrics._inputs.arguments import TableArguments, shared_arguments
from cmh_metrics._inputs.checks import cut_offs
from cmh_metrics._measure import Measure, Ranked, by_cut_off

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from cmh_metrics._definition import Scores, Ties


@shared_arguments(TableArguments)
def precision_at(*, ks: Sequence[int], ties: Ties = "expected", **ranking: Unpack[TableArguments]) -> Scores:
    """Return the precision of the first k items, for several k.

    Precision is divided by k even where the database has fewer items (TREC).

    Returns:
        `(n_query, len(ks))` float64; average over axis 0 for the usual curve.

    Raises:
        ValueError: if an argument is not as described.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> precision_at(
        ...     ks=[1, 2],
        ...     query_codes=[[1]],
        ...     database_codes=[[1], [-1]],
        ...     query_labels=[[1]],
        ...     database_labels=[[1], [0]],
        ... )
        array([[1. , 0.5]])
    """
    cuts = cut_offs(ks)
    found, _ = relevant_found(cuts, ties, ranking)
    scores: Scores = found / cuts
    return scores


def _reported(ranked: Ranked) -> dict[int | None, float]:
    found = found_in_tables(ranked.tables, ranked.ks, "expected") / ranked.ks
    return by_cut_off(ranked.ks, found.mean(axis=0))


MEASURE = Measure("precision_at", "precision", _reported)
