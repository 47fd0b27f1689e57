"""Average precision with ties in database order, as a stable sort by distance leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.backends import tables_of_inputs
from cmh_metrics._backends.threads import over_ranges

if TYPE_CHECKING:
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.packing import Words
    from cmh_metrics._inputs.ranking_inputs import RankingInputs, Slab

Scores = np.ndarray[Any, np.dtype[np.float64]]


def sum_of_precisions(
    inputs: RankingInputs, compute: Compute, *, k: int, first_relevant: bool
) -> tuple[Scores, np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return, per query, the sum of precisions up to the cut-off, the relevant items in it, and all of them.

    Reads the database twice: the first time for the ranking tables, which say where each distance's items
    begin; the second time to give every item its rank.
    """
    from cmh_metrics._kernels import pairs as kernel  # noqa: PLC0415 - loads numba

    tables = tables_of_inputs(inputs, compute)
    rank = tables.retrieved.cumsum(axis=1) - tables.retrieved
    found = tables.relevant.cumsum(axis=1) - tables.relevant
    scores, counted = np.zeros(len(tables)), np.zeros(len(tables), np.int64)
    pairs = inputs.excluded
    starts = np.zeros(inputs.n_query + 1, np.int64) if pairs is None else pairs.starts
    left_out = np.zeros(0, np.int64) if pairs is None else pairs.rows
    for slab in inputs.slabs():
        columns = slab.columns()

        def work(first: int, last: int, slab: Slab = slab, columns: tuple[Words, Words] = columns) -> None:
            kernel.add_index_order(
                slab.query_words,
                columns[0],
                slab.query_labels,
                columns[1],
                slab.start,
                starts,
                left_out,
                first,
                last,
                k,
                first_relevant,
                rank,
                found,
                scores,
                counted,
            )

        over_ranges(work, len(tables), compute.threads)
    return scores, counted, tables.relevant.sum(axis=1)
