"""Average precision of every query under a definition, from ranking tables or in database order."""

from __future__ import annotations

from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.backends import tables_of_inputs
from cmh_metrics._backends.stable_order import sum_of_precisions
from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._definition import NORMALISE, TIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cmh_metrics._definition import Bits, Definition, Scores
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.ranking_inputs import Inputs
    from cmh_metrics._inputs.tables import RankingTables

_TABLE_LIMIT = 1 << 16  # harmonic numbers kept; beyond, a formula is as exact and takes a little longer


def precisions_of_inputs(
    inputs: Inputs,
    definition: Definition,
    compute: Compute,
    parts: Sequence[RankingTables] | None = None,
) -> tuple[Scores, Bits]:
    """Return `(n_query,)` average precisions, NaN without a relevant item, and which queries count.

    `parts` are the tables of each part of the database, if there are any yet, or their sum alone where ties
    do not go by database row.
    """
    if definition.ties == "index":
        scores, hit = _in_database_order(inputs, definition, compute, parts)
        return scores, _counted(scores, definition, lambda: hit)
    tables = tables_of_inputs(inputs, compute) if parts is None else reduce(add, parts)
    return precisions_of_tables(tables, definition, compute.threads)


def precisions_of_tables(tables: RankingTables, definition: Definition, threads: int) -> tuple[Scores, Bits]:
    """Return the same of ranking tables, for every tie rule but database order."""
    scores = scores_of_tables(tables, definition, threads)
    return scores, _counted(scores, definition, lambda: hits_of_tables(tables, definition))


def _counted(scores: Scores, definition: Definition, hits: Callable[[], Bits]) -> Bits:
    if definition.no_relevant == "skip-no-hit":
        return hits()
    return ~np.isnan(scores) if definition.no_relevant == "skip" else np.ones(len(scores), np.bool_)


def reported(scores: Scores, counted: Bits, definition: Definition) -> Scores:
    """Return the scores of the queries that count, those without a relevant item by the definition's rule."""
    chosen = scores[counted]
    return chosen if definition.no_relevant == "nan" else np.nan_to_num(chosen)


def hits_of_tables(tables: RankingTables, definition: Definition) -> Bits:
    """Return `(n_query,)`, whether any order of equally distant items has a hit within the cut-off."""
    some = tables.relevant > 0
    if definition.normalise == "first-relevant":
        return np.asarray(some.any(axis=1))
    before = tables.retrieved.cumsum(axis=1) - tables.retrieved  # items nearer than each distance
    return np.asarray((some & (before < definition.cut)).any(axis=1))


def scores_of_tables(tables: RankingTables, definition: Definition, threads: int) -> Scores:
    """Return `(n_query,)` average precisions, NaN for a query without a relevant item."""
    from cmh_metrics._kernels import average_precision as kernel  # noqa: PLC0415 - loads numba

    scores = np.empty(len(tables))
    harmonic = harmonic_numbers()
    whole = tables.retrieved.sum(axis=1).max() <= min(definition.cut, len(harmonic) - 1)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        counts = tables.retrieved[part], tables.relevant[part]
        if whole and definition.ties == "expected":
            kernel.whole_ranking_rows(*counts, harmonic, scores[part])
        else:
            rule = definition.cut, NORMALISE.index(definition.normalise), TIES.index(definition.ties)
            kernel.average_precision_rows(*counts, *rule, harmonic, scores[part])

    over_ranges(work, len(tables), threads)
    return scores


def _in_database_order(
    inputs: Inputs, definition: Definition, compute: Compute, parts: Sequence[RankingTables] | None
) -> tuple[Scores, Bits]:
    """Return the scores with ties by database row, and which queries have a hit within the cut-off."""
    compute.needs_cpu("ties='index'")
    sums, counted, n_relevant = sum_of_precisions(
        inputs,
        compute,
        k=definition.cut,
        first_relevant=definition.normalise == "first-relevant",
        parts=parts,
    )
    divisors = {"retrieved": counted, "relevant": n_relevant}
    divisor = divisors.get(definition.normalise, np.minimum(n_relevant, definition.cut))
    scores: Scores = sums / np.maximum(divisor, 1)
    scores[n_relevant == 0] = np.nan
    return scores, counted > 0


@cache
def harmonic_numbers() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return `(65537, 2)`: the harmonic numbers H(0), H(1), ..., each as a float and what it lacks.

    Of two large ones the difference counts, which their rounding errors would spoil.
    """
    i = np.arange(1.0, _TABLE_LIMIT + 1)
    terms = 1 / i
    numbers = np.zeros((_TABLE_LIMIT + 1, 2))
    np.cumsum(terms, out=numbers[1:, 0])
    lost = terms - np.diff(numbers[:, 0])  # by rounding each sum; this difference is exact
    short = terms.astype(np.float32).astype(np.float64)  # times 17 bits it is exact, too
    lost += ((1 - short * i) - (terms - short) * i) / i  # by rounding each quotient
    np.cumsum(lost, out=numbers[1:, 1])
    return numbers
