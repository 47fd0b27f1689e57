"""How many relevant items are among the first k, under each tie rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._backends.backends import prepare_arrays, tables_of, tables_of_inputs
from cmh_metrics._backends.search import nearest
from cmh_metrics._backends.stable_order import relevant_within
from cmh_metrics._definition import TIES
from cmh_metrics._inputs.checks import one_of
from cmh_metrics._inputs.ranking_inputs import RankingInputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._definition import Scores
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.tables import RankingTables, Table

_BLOCK_ITEMS = 1 << 20  # ranked items in memory at a time


def relevant_found(ks: Sequence[int], ties: str, ranking: Any) -> tuple[Scores, Table]:
    """Return `(n_query, n_cut)` relevant items among the first k, and `(n_query,)` all relevant items.

    `ranking` are the shared arguments that the caller of a measure gave.
    """
    one_of(ties, "ties", TIES)
    if ties != "index":
        tables = tables_of(**ranking)
        return found_in_tables(tables, ks, ties), tables.relevant.sum(axis=1)
    inputs, compute = prepare_arrays(**ranking)
    compute.needs_cpu("ties='index'")
    cuts = np.array(ks, np.int64)
    if isinstance(inputs, RankingInputs):
        return _found_in_database_order(inputs, compute, cuts)
    found, n_relevant = relevant_within(inputs, compute, cuts)
    return found.astype(np.float64), n_relevant


def found_in_tables(tables: RankingTables, ks: Sequence[Any], ties: str) -> Scores:
    """Return `(n_query, n_cut)` relevant items among the first k, a mean over orders with expected ties.

    Each k is a number, or `(n_query, 1)` numbers of which every query has its own.
    """
    n, r = tables.retrieved, tables.relevant
    before = n.cumsum(axis=1) - n  # items ranked before each tie group
    found = np.empty((len(tables), len(ks)))
    for column, k in enumerate(ks):
        places = np.clip(k - before, 0, n)  # of each tie group, how many places are among the first k
        if ties == "expected":
            inside = r * (places / np.maximum(n, 1))
        elif ties == "best":
            inside = np.minimum(r, places)
        else:
            inside = np.maximum(0, r - (n - places))
        found[:, column] = inside.sum(axis=1)
    return found


def _found_in_database_order(inputs: RankingInputs, compute: Compute, cuts: Table) -> tuple[Scores, Table]:
    """Return the same with equally distant items in database order, from a search for the nearest items."""
    n_relevant = tables_of_inputs(inputs, compute).relevant.sum(axis=1)
    labels = inputs.database_labels.words(0, inputs.n_database)
    pairs = inputs.excluded
    spare = 0 if pairs is None else int(np.diff(pairs.starts).max())  # own rows may be among the nearest
    k = min(int(cuts.max()) + spare, inputs.n_database)
    found = np.empty((inputs.n_query, len(cuts)))
    step = max(1, _BLOCK_ITEMS // k)
    for start in range(0, inputs.n_query, step):
        part = slice(start, min(start + step, inputs.n_query))
        _, rows = nearest(inputs.query_words[part], inputs.database, k=k, threads=compute.threads)
        shared = inputs.query_labels[part, None, :] & labels[rows]  # (block, k, n_label_word)
        hits = (shared != 0).any(axis=2)
        if pairs is not None:
            chosen = pairs.for_queries(np.arange(part.start, part.stop))
            own = np.zeros(hits.shape, np.bool_)
            for query, row in zip(chosen.queries, chosen.rows, strict=True):
                own[query] |= rows[query] == row
            order = np.argsort(own, axis=1, kind="stable")  # what is left out goes to the end
            hits = np.take_along_axis(hits & ~own, order, axis=1)
        found[part] = hits.cumsum(axis=1)[:, np.minimum(cuts, k) - 1]
    return found, n_relevant
