"""Instance-level retrieval: has a right item of the query itself been found?"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cmh_metrics._backends.backends import tables_of_inputs
from cmh_metrics._definition import TIES, Scores
from cmh_metrics._inputs.arguments import shared_arguments
from cmh_metrics._inputs.checks import cut_offs, one_of
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.sharded_inputs import inputs_without_labels
from cmh_metrics._measure import Measure, Ranked, by_cut_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._definition import Ties
    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.compute import Backend
    from cmh_metrics._inputs.ranking_inputs import Inputs, RankingInputs
    from cmh_metrics._inputs.tables import Table

Rows = np.ndarray[Any, np.dtype[np.int64]]
Count = Literal["any", "share"]


@shared_arguments()
def instance_recall_at(
    *,
    query_codes: Any,
    database_codes: Any,
    ks: Sequence[int],
    targets: Any = None,
    count: Count = "any",
    ties: Ties = "expected",
    code_values: CodeValues = "auto",
    threshold: float | None = None,
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Return the recall at k where each query has right items of its own, for several k.

    Args:
        targets: `(n_query,)` integers, the database row of each query's right item; or `(n_query, n_right)`,
            the rows of several, as the five captions of an image, -1 where a query has fewer. By default row
            i for query i.
        count: `"any"`: a query counts 1 as soon as one of its right items is among the first k, as
            image-text retrieval has it. `"share"`: the share of its right items there.

    Returns:
        `(len(ks),)` float64 in [0, 1], averaged over the queries.

    Raises:
        ValueError: if codes are not what they should be, a cut-off is not positive, or a target is not a
        database row.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> instance_recall_at(query_codes=[[1, 1], [1, -1]], database_codes=[[1, 1], [1, 1]], ks=[1, 2])
        array([0.5, 1. ])
        >>> captions = [[1, 1], [-1, 1]]
        >>> instance_recall_at(query_codes=[[1, 1]], database_codes=captions, ks=[1], targets=[[0, 1]])
        array([1.])
    """
    one_of(ties, "ties", TIES)
    one_of(count, "count", get_args(Count))
    cuts = cut_offs(ks)
    inputs = inputs_without_labels(
        query_codes=query_codes, database_codes=database_codes, code_values=code_values, threshold=threshold
    )
    rows = target_rows(targets, inputs.n_query, inputs.n_database)
    compute = Compute.resolve(backend, threads)
    if ties == "index":
        compute.needs_cpu("ties='index'")
    tables = tables_of_inputs(inputs, compute)
    return instance_recall(inputs, compute, tables.retrieved, rows, cuts, ties=ties, count=count)


@shared_arguments()
def instance_ranks(
    *,
    query_codes: Any,
    database_codes: Any,
    targets: Any = None,
    code_values: CodeValues = "auto",
    threshold: float | None = None,
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Return the place at which each query finds its own right item, or the first of several.

    Image-text retrieval reports the median of these beside recall at k ("median rank", MedR). Places are
    counted from 1 on; where items are equally distant, it is the mean over all orders of them.

    Args:
        targets: `(n_query,)` integers, the database row of each query's right item; or `(n_query, n_right)`,
            the rows of several, -1 where a query has fewer. By default row i for query i.

    Returns:
        `(n_query,)` float64 in [1, n_database].

    Raises:
        ValueError: if codes are not what they should be, or a target is not a database row.
        BackendUnavailable: if a backend is asked for by name and cannot run here.

    Example:
        >>> instance_ranks(query_codes=[[1, 1], [1, -1]], database_codes=[[1, 1], [1, 1]])
        array([1.5, 1.5])
    """
    inputs = inputs_without_labels(
        query_codes=query_codes, database_codes=database_codes, code_values=code_values, threshold=threshold
    )
    rows = target_rows(targets, inputs.n_query, inputs.n_database)
    compute = Compute.resolve(backend, threads)
    retrieved = tables_of_inputs(inputs, compute).retrieved
    own = own_distances(inputs, compute, rows)  # (n_query, n_right)
    nearest = own.min(axis=1, keepdims=True)
    right = (own == nearest).sum(axis=1)  # right items among the equally distant ones
    before = retrieved.cumsum(axis=1) - retrieved
    ahead, items = (np.take_along_axis(table, nearest, axis=1)[:, 0] for table in (before, retrieved))
    ranks: Scores = ahead + (items + 1) / (right + 1)  # the mean place of the first of them
    return ranks


def instance_recall(
    inputs: Inputs,
    compute: Compute,
    retrieved: Table,
    rows: Rows,
    cuts: Sequence[int],
    *,
    ties: str,
    count: str,
) -> Scores:
    """Return `instance_recall_at` of checked inputs and the numbers of their items by distance."""
    own = own_distances(
        inputs, compute, rows
    )  # (n_query, n_right), beyond every distance where there is none
    right = np.zeros((inputs.n_query, inputs.bits + 2), np.int64)
    np.add.at(right, (np.arange(inputs.n_query)[:, None], own), 1)
    right = right[:, :-1]  # right items by distance
    before = retrieved.cumsum(axis=1) - retrieved  # items nearer than each distance
    if ties == "index":
        ranks = _ranks(inputs, compute, retrieved, rows, own)  # (n_query, n_right), from 1 on
        hits = ranks <= np.array(cuts)[:, None, None]
        found = hits.any(axis=2) if count == "any" else hits.sum(axis=2) / (rows >= 0).sum(axis=1)
    elif count == "any":
        nearest = own.min(axis=1)[:, None]
        ahead, items, m = (
            np.take_along_axis(table, nearest, axis=1)[:, 0] for table in (before, retrieved, right)
        )
        found = _chance_of_any(items, m, np.clip(np.array(cuts)[:, None] - ahead, 0, items), ties)
    else:
        found = np.array(
            [_right_found(retrieved, right, np.clip(k - before, 0, retrieved), ties) for k in cuts]
        )
        found = found / (rows >= 0).sum(axis=1)
    scores: Scores = found.mean(axis=1, dtype=np.float64)
    return scores


def _chance_of_any(items: Rows, right: Rows, free: Rows, ties: str) -> Scores:
    """Return `(n_cut, n_query)` chances that a right one of the tied items is in the `free` places."""
    if ties == "best":
        return (free > 0).astype(np.float64)
    if ties == "worst":
        return (free > items - right).astype(np.float64)
    missed = np.ones(free.shape)
    for i in range(int(right.max())):  # without putting back: none of the right ones in the first places
        missed *= np.where(i < right, np.maximum(items - free - i, 0) / np.maximum(items - i, 1), 1.0)
    return 1 - missed


def _right_found(items: Table, right: Rows, places: Rows, ties: str) -> Scores:
    """Return `(n_query,)` right items in the first places of each tie group, summed over the groups."""
    if ties == "expected":
        inside = right * (places / np.maximum(items, 1))
    else:
        inside = np.minimum(right, places) if ties == "best" else np.maximum(right - (items - places), 0)
    found: Scores = inside.sum(axis=1, dtype=np.float64)
    return found


def own_distances(inputs: Inputs, compute: Compute, rows: Rows) -> Rows:
    """Return the distance of each query to its right items, `bits + 1` where there is none."""
    return reduce(np.minimum, inputs.of_parts(_own_distances, compute, rows))


def _own_distances(inputs: RankingInputs, compute: Compute, rows: Rows) -> Rows:  # noqa: ARG001 - as others
    """Return the same of right items in one part of the database, `bits + 1` for those elsewhere."""
    own = np.full(rows.shape, inputs.bits + 1, np.int64)
    for slab in inputs.slabs():
        start = inputs.first_row + slab.start
        query, column = np.nonzero((rows >= start) & (rows < start + len(slab.database_words)))
        words = slab.database_words[rows[query, column] - start]
        own[query, column] = np.bitwise_count(inputs.query_words[query] ^ words).sum(axis=1)
    return own


def _ranks(inputs: Inputs, compute: Compute, retrieved: Table, rows: Rows, own: Rows) -> Rows:
    """Return the rank of each right item, from 1 on, with equally distant items by database row."""
    before = np.pad(retrieved.cumsum(axis=1) - retrieved, ((0, 0), (0, 1)), constant_values=inputs.n_database)
    ranks: Rows = np.take_along_axis(before, own, axis=1) + 1
    return ranks + sum(inputs.of_parts(_tied_before, compute, rows, own))


def _tied_before(inputs: RankingInputs, compute: Compute, rows: Rows, own: Rows) -> Rows:  # noqa: ARG001 - as others
    """Return how many items of one part are as far as each right item, and come before it."""
    ranks = np.zeros_like(own)
    for slab in inputs.slabs():
        number = inputs.first_row + slab.start + np.arange(len(slab.database_words))
        for i, query in enumerate(inputs.query_words):
            distance = np.bitwise_count(slab.database_words ^ query).sum(axis=1, dtype=np.int64)
            for j in range(rows.shape[1]):
                ranks[i, j] += ((distance == own[i, j]) & (number < rows[i, j])).sum()
    return ranks


def target_rows(targets: Any, n_query: int, n_database: int) -> Rows:
    """Return `(n_query, n_right)` database rows of each query's right items: by default row i for query i."""
    rows = np.arange(n_query) if targets is None else np.asarray(targets)
    if rows.shape[:1] != (n_query,) or rows.ndim > 2 or not rows.size or rows.dtype.kind not in "iu":
        raise ValueError(
            f"targets must hold one database row per query ({n_query}), or several, "
            f"but it is {rows.dtype} of shape {rows.shape}"
        )
    rows = rows.reshape(n_query, -1).astype(np.int64)
    if rows.min() < (-1 if rows.shape[1] > 1 else 0) or rows.max() >= n_database:
        raise ValueError(
            f"targets must be database rows from 0 to {n_database - 1}, "
            f"but they reach from {rows.min()} to {rows.max()}; "
            "give targets where query i does not belong to row i"
        )
    if (rows < 0).all(axis=1).any():
        raise ValueError("targets must name at least one database row for every query, but one has only -1")
    ordered = np.sort(rows, axis=1)
    if ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("targets must name each database row once for a query, but one stands there twice")
    return rows


def _leaves_out_target(inputs: RankingInputs, compute: Compute, rows: Rows) -> bool:  # noqa: ARG001 - as others
    """Whether a right item in one part of the database is left out of its query's ranking."""
    pairs = inputs.excluded
    if pairs is None:
        return False
    return bool((rows[pairs.queries] == inputs.first_row + pairs.rows[:, None]).any())


def _reported(ranked: Ranked) -> dict[int | None, float]:
    """Return recall by cut-off, nothing where queries have no item of their own."""
    if ranked.targets is None:
        return {}
    inputs = ranked.inputs
    rows = target_rows(
        None if isinstance(ranked.targets, str) else ranked.targets, inputs.n_query, inputs.n_database
    )
    if inputs.leaves_out and any(inputs.of_parts(_leaves_out_target, ranked.compute, rows)):
        raise ValueError(
            "targets must be database rows that count, but one is left out as the query's own row"
        )
    recall = instance_recall(
        inputs, ranked.compute, ranked.tables.retrieved, rows, ranked.ks, ties="expected", count="any"
    )
    return by_cut_off(ranked.ks, recall)


MEASURE = Measure("instance_recall_at", "instance recall", _reported)
