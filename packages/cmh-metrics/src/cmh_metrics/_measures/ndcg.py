"""Normalised discounted cumulative gain, graded by the number of shared labels."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import prepare
from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._definition import EMPTY, WHOLE, treat_empty
from cmh_metrics._inputs.arguments import RankingArguments, shared_arguments
from cmh_metrics._inputs.checks import one_of, positive_integer
from cmh_metrics._measure import Measure, Ranked, by_cut_off

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from cmh_metrics._definition import Empty, Scores
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.packing import Words
    from cmh_metrics._inputs.ranking_inputs import Inputs, RankingInputs, Slab
    from cmh_metrics._inputs.tables import Table

Gain = Literal["exponential", "linear"]
_MAX_EXPONENT = 960  # so that the sum of the gains of 2^63 items is finite


@shared_arguments(RankingArguments)
def ndcg(
    *,
    k: int | None = None,
    gain: Gain = "exponential",
    no_relevant: Empty = "zero",
    **ranking: Unpack[RankingArguments],
) -> Scores:
    """Return the normalised discounted cumulative gain of every query, graded by shared labels.

    An item's grade is the number of labels that it shares with the query. Equally distant items are averaged
    over all their orders, which is exact: each of a tie group's places gets the group's mean gain (McSherry
    and Najork, ECIR 2008). The discount of place j is `1 / log2(j + 1)`.

    Args:
        gain: `"exponential"`: 2^grade - 1, for queries of at most 960 labels. `"linear"`: the grade.

    Returns:
        `(n_query,)` float64 in [0, 1], shorter if queries are skipped.

    Raises:
        ValueError: if an argument is not as described, or a query has too many labels for the gain.
        BackendUnavailable: if a backend without a kernel for it is asked for by name.

    Example:
        >>> ndcg(
        ...     query_codes=[[1]],
        ...     database_codes=[[1], [-1]],
        ...     query_labels=[[1, 1]],
        ...     database_labels=[[1, 1], [1, 0]],
        ... )
        array([1.])
    """
    one_of(gain, "gain", get_args(Gain))
    one_of(no_relevant, "no_relevant", EMPTY)
    cut = WHOLE if k is None else positive_integer(k, "k")
    inputs, compute = prepare(**ranking)
    compute.needs_cpu("nDCG")
    scores = ndcg_at(inputs, [cut], gain=gain, compute=compute)[:, 0]
    return treat_empty(scores, no_relevant)


def ndcg_at(inputs: Inputs, cuts: Sequence[int], *, gain: str, compute: Compute) -> Scores:
    """Return `(n_query, n_cut)` scores of checked inputs, NaN for a query without a relevant item.

    Runs on the CPU, in the slabs of the ranking tables; one discount for each place, 8 bytes, is all that
    grows with the database.
    """
    top_grade = inputs.most_labels
    if gain == "exponential" and top_grade > _MAX_EXPONENT:
        raise ValueError(
            f"query_labels must have at most {_MAX_EXPONENT} labels in a row for the gain 2^grade - 1, "
            f"but a row has {top_grade}; use gain='linear'"
        )
    grades = np.arange(top_grade + 1, dtype=np.float64)
    gains = grades if gain == "linear" else np.exp2(grades) - 1
    retrieved, gained, graded = reduce(_added, inputs.of_parts(_gain_tables, compute, gains))
    mean_gain = gained / np.maximum(retrieved, 1)
    scores = np.full((inputs.n_query, len(cuts)), np.nan)
    some = graded[:, 1:].any(axis=1)
    for column, k in enumerate(cuts):
        discounts = np.zeros(min(k, inputs.n_database) + 1)  # discounts[j]: sum over the first j places
        np.cumsum(1 / np.log2(np.arange(2, len(discounts) + 1)), out=discounts[1:])
        actual = (mean_gain * _discounts_of_groups(retrieved, discounts)).sum(axis=1)
        ideal = (gains[::-1] * _discounts_of_groups(graded[:, ::-1], discounts)).sum(axis=1)
        scores[some, column] = actual[some] / ideal[some]
    return scores


def _discounts_of_groups(counts: Table, discounts: Scores) -> Scores:
    """Return the summed discounts of each group's places, groups of `counts` items following along axis 1."""
    ends = np.minimum(counts.cumsum(axis=1), len(discounts) - 1)
    sums: Scores = np.diff(discounts[ends], axis=1, prepend=0)
    return sums


def _added(
    some: tuple[Table, Scores, Table], more: tuple[Table, Scores, Table]
) -> tuple[Table, Scores, Table]:
    """Return the gain tables of two parts of a database as one."""
    return some[0] + more[0], some[1] + more[1], some[2] + more[2]


def _gain_tables(inputs: RankingInputs, compute: Compute, gains: Scores) -> tuple[Table, Scores, Table]:
    """Return items by distance, gains summed by distance, and items by grade, each with one row per query."""
    from cmh_metrics._kernels import pairs as kernel  # noqa: PLC0415 - loads numba

    retrieved = np.zeros((inputs.n_query, inputs.bits + 1), np.int64)
    gained = np.zeros((inputs.n_query, inputs.bits + 1))
    graded = np.zeros((inputs.n_query, len(gains)), np.int64)
    for slab in inputs.slabs():
        columns = slab.columns()

        def work(first: int, last: int, slab: Slab = slab, columns: tuple[Words, Words] = columns) -> None:
            kernel.add_gains(
                slab.query_words,
                columns[0],
                slab.query_labels,
                columns[1],
                gains,
                first,
                last,
                retrieved,
                gained,
                graded,
            )

        over_ranges(work, inputs.n_query, compute.threads)
    if inputs.excluded is not None:
        pairs = inputs.excluded
        grades = pairs.shared_labels(inputs.query_labels)
        cells = pairs.queries, pairs.distances(inputs.query_words)
        np.subtract.at(retrieved, cells, 1)
        np.subtract.at(gained, cells, gains[grades])
        np.subtract.at(graded, (pairs.queries, grades), 1)
    return retrieved, gained, graded


def _reported(ranked: Ranked) -> dict[int | None, float]:
    cuts = [*ranked.ks, WHOLE]
    scores = ndcg_at(ranked.inputs, cuts, gain="exponential", compute=ranked.compute)
    return by_cut_off([*ranked.ks, None], treat_empty(scores, "zero").mean(axis=0))


MEASURE = Measure("ndcg_at", "nDCG", _reported)
