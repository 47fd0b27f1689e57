"""Average precision with ties in database order, as a stable sort by distance leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cmh_metrics._backends.backends import tables_of_inputs
from cmh_metrics._backends.threads import over_ranges

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.ranking_inputs import RankingInputs, Slab
    from cmh_metrics._inputs.tables import RankingTables, Table

Scores = np.ndarray[Any, np.dtype[np.float64]]


class Ranks(NamedTuple):
    """How far the ranking of every query has come, and its rules; `pairs.add_index_order` describes all."""

    starts: Table
    left_out: Table
    k: int
    first_relevant: bool
    rank: Table
    found: Table
    scores: Scores
    counted: Table


def sum_of_precisions(
    inputs: RankingInputs,
    compute: Compute,
    *,
    k: int,
    first_relevant: bool,
    tables: RankingTables | None = None,
) -> tuple[Scores, Table, Table]:
    """Return, per query, the sum of precisions up to the cut-off, the relevant items in it, and all of them.

    Reads the database twice: the first time for the ranking tables, unless they are given, which say where
    each distance's items begin; the second time to give every item its rank.
    """
    tables = tables_of_inputs(inputs, compute) if tables is None else tables
    pairs = inputs.excluded
    ranks = Ranks(
        starts=np.zeros(inputs.n_query + 1, np.int64) if pairs is None else pairs.starts,
        left_out=np.zeros(0, np.int64) if pairs is None else pairs.rows,
        k=k,
        first_relevant=first_relevant,
        rank=tables.retrieved.cumsum(axis=1) - tables.retrieved,
        found=tables.relevant.cumsum(axis=1) - tables.relevant,
        scores=np.zeros(len(tables)),
        counted=np.zeros(len(tables), np.int64),
    )
    add_precisions = _kernel_for(compute)
    for slab in inputs.slabs():
        add_precisions(slab, inputs, ranks, threads=compute.threads)
    return ranks.scores, ranks.counted, tables.relevant.sum(axis=1)


def _kernel_for(compute: Compute) -> Callable[..., None]:
    """Return the bit-sliced kernel where the processor has its instructions, unless numpy is asked for."""
    if compute.backend == "numpy":
        return _add_pairs
    try:
        from cmh_metrics._kernels.vectors import PARTS_WORDS  # noqa: PLC0415 - loads numba
    except ImportError:
        return _add_pairs
    if not PARTS_WORDS:
        return _add_pairs
    from cmh_metrics._backends.numba_by_row import add_precisions  # noqa: PLC0415

    return add_precisions


def _add_pairs(slab: Slab, inputs: RankingInputs, ranks: Ranks, *, threads: int) -> None:
    """Add the precisions at the relevant items of one slab, looking at one pair after the other."""
    from cmh_metrics._kernels import pairs as kernel  # noqa: PLC0415 - loads numba

    codes, labels = slab.columns()

    def work(first: int, last: int) -> None:
        kernel.add_index_order(
            slab.query_words, codes, slab.query_labels, labels, slab.start, first, last, *ranks
        )

    over_ranges(work, inputs.n_query, threads)
