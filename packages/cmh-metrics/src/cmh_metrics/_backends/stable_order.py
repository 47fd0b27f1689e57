"""Average precision with ties in database order, as a stable sort by distance leaves them."""

from __future__ import annotations

from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cmh_metrics._backends.backends import tables_of_parts
from cmh_metrics._backends.threads import over_ranges
from cmh_metrics._kernels.exact_sum import as_floats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.ranking_inputs import Inputs, RankingInputs, Slab
    from cmh_metrics._inputs.tables import RankingTables, Table

    Places = tuple[Table, Table]

Scores = np.ndarray[Any, np.dtype[np.float64]]


class Ranks(NamedTuple):
    """How far the ranking of every query has come, and its rules; `pairs.add_index_order` describes all."""

    starts: Table
    left_out: Table
    k: int
    first_relevant: bool
    rank: Table
    found: Table
    sums: Table
    counted: Table

    @classmethod
    def at_start(cls, inputs: RankingInputs, first: Places, *, k: int, first_relevant: bool) -> Ranks:
        """Return those of one part of a database, before its first row."""
        pairs = inputs.excluded
        rank, found = first
        return cls(
            starts=np.zeros(inputs.n_query + 1, np.int64) if pairs is None else pairs.starts,
            left_out=np.zeros(0, np.int64) if pairs is None else pairs.rows,
            k=k,
            first_relevant=first_relevant,
            rank=rank.copy(),
            found=found.copy(),
            sums=np.zeros((inputs.n_query, 2), np.int64),
            counted=np.zeros(inputs.n_query, np.int64),
        )


def sum_of_precisions(
    inputs: Inputs,
    compute: Compute,
    *,
    k: int,
    first_relevant: bool,
    parts: Sequence[RankingTables] | None = None,
) -> tuple[Scores, Table, Table]:
    """Return, per query, the sum of precisions up to the cut-off, the relevant items in it, and all of them.

    Reads the database twice: the first time for the ranking tables of its parts, unless they are given, which
    say where each distance's items begin; the second time to give every item its rank.
    """
    parts = tables_of_parts(inputs, compute) if parts is None else parts
    work = partial(_in_order, k=k, first_relevant=first_relevant, n_item=inputs.n_database)
    sums, counted = zip(*inputs.of_each_part(work, compute, first_places(parts)), strict=True)
    return as_floats(sum(sums)), sum(counted), sum(part.relevant.sum(axis=1) for part in parts)


def relevant_within(inputs: Inputs, compute: Compute, cuts: Table) -> tuple[Table, Table]:
    """Return `(n_query, n_cut)` relevant items among the first of each number, and `(n_query,)` all."""
    parts = tables_of_parts(inputs, compute)
    work = partial(_found_in_order, cuts=cuts, n_item=inputs.n_database)
    found: Table = reduce(add, inputs.of_each_part(work, compute, first_places(parts)))
    return found, sum(part.relevant.sum(axis=1) for part in parts)


def first_places(parts: Sequence[RankingTables]) -> Iterator[Places]:
    """Yield how many items, and relevant items, rank before each part's first one at each distance."""
    whole = reduce(add, parts)
    rank = whole.retrieved.cumsum(axis=1) - whole.retrieved
    found = whole.relevant.cumsum(axis=1) - whole.relevant
    for part in parts:
        yield rank, found
        rank, found = rank + part.retrieved, found + part.relevant


def _in_order(
    part: RankingInputs, compute: Compute, first: Places, *, k: int, first_relevant: bool, n_item: int
) -> tuple[Table, Table]:
    """Return what one part adds to the sums of precisions, and to the relevant items in the cut-off."""
    ranks = Ranks.at_start(part, first, k=k, first_relevant=first_relevant)
    add_precisions = _kernel_for(compute)
    for slab in part.slabs():
        add_precisions(slab, part, ranks, n_item=n_item, threads=compute.threads)
    return ranks.sums, ranks.counted


def _found_in_order(
    part: RankingInputs, compute: Compute, first: Places, *, cuts: Table, n_item: int
) -> Table:
    """Return what one part adds to the relevant items among the first of each number."""
    ranks = [Ranks.at_start(part, first, k=int(cut), first_relevant=False) for cut in cuts]
    add_precisions = _kernel_for(compute)
    for slab in part.slabs():
        for one in ranks:
            add_precisions(slab, part, one, n_item=n_item, threads=compute.threads)
    return np.stack([one.counted for one in ranks], axis=1)


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


def _add_pairs(slab: Slab, inputs: RankingInputs, ranks: Ranks, *, n_item: int, threads: int) -> None:  # noqa: ARG001 - as the other
    """Add the precisions at the relevant items of one slab, looking at one pair after the other."""
    from cmh_metrics._kernels import pairs as kernel  # noqa: PLC0415 - loads numba

    codes, labels = slab.columns()

    def work(first: int, last: int) -> None:
        kernel.add_index_order(
            slab.query_words, codes, slab.query_labels, labels, slab.start, first, last, *ranks
        )

    over_ranges(work, inputs.n_query, threads)
