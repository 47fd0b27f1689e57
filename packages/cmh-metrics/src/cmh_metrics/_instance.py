"""Instance-level retrieval: has the one right item been found?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._checks import one_of, positive_integer
from cmh_metrics._codes import CodeRows, Values, both_sides
from cmh_metrics._inputs import SLAB_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._average_precision import Scores
    from cmh_metrics._packing import Words

Rows = np.ndarray[Any, np.dtype[np.int64]]
InstanceTies = Literal["expected", "best", "worst", "index"]


def instance_recall_at(
    *,
    query_codes: Any,
    database_codes: Any,
    ks: Sequence[int],
    targets: Any = None,
    ties: InstanceTies = "expected",
    values: Values = "auto",
) -> Scores:
    """Recall at k where each query has exactly one right item, for several k.

    Args:
        query_codes: `(n_query, bits)`, see `pack_codes`, or `PackedCodes`.
        database_codes: `(n_database, bits)` likewise.
        ks: cut-offs, each at least 1.
        targets: `(n_query,)` database row of each query's right item; by default row i for query i.
        ties: where the right item stands among equally distant ones: at each place with equal probability
            (`"expected"`), first (`"best"`), last (`"worst"`), or by database row (`"index"`).
        values: what a value of the codes means, see `ranking_tables`.

    Returns:
        `(len(ks),)` float64 in [0, 1], averaged over the queries.

    Raises:
        ValueError: if codes are not what they should be, a cut-off is not positive, or a target is not a
        database row.

    Example:
        >>> instance_recall_at(query_codes=[[1, 1], [1, -1]], database_codes=[[1, 1], [1, 1]], ks=[1, 2])
        array([0.5, 1. ])
    """
    one_of(ties, "ties", ("expected", "best", "worst", "index"))
    cuts = [positive_integer(k, "ks") for k in np.atleast_1d(np.asarray(ks)).tolist()]
    if not cuts:
        raise ValueError("ks must hold at least one cut-off, but it is empty")
    queries, database = both_sides(query_codes, database_codes, values)
    rows = target_rows(targets, len(queries), len(database))
    return instance_recall(queries.words(0, len(queries)), database, rows, cuts, ties)


def instance_recall(
    query_words: Words, database: CodeRows, rows: Rows, cuts: Sequence[int], ties: str
) -> Scores:
    """Return `instance_recall_at` of checked inputs."""
    own = np.empty(len(rows), np.int64)  # distance of each query to its right item
    for i, row in enumerate(rows):
        own[i] = np.bitwise_count(query_words[i] ^ database.words(row, row + 1)[0]).sum()
    nearer, tied, tied_before = (np.zeros(len(rows), np.int64) for _ in range(3))
    for start in range(0, len(database), SLAB_ROWS):
        stop = min(start + SLAB_ROWS, len(database))
        slab = database.words(start, stop)
        for i, query in enumerate(query_words):
            distance = np.bitwise_count(slab ^ query).sum(axis=1, dtype=np.int64)
            equal = distance == own[i]
            nearer[i] += (distance < own[i]).sum()
            tied[i] += equal.sum()
            tied_before[i] += equal[: max(0, rows[i] - start)].sum()
    places = np.array(cuts)[:, None] - nearer  # (n_cut, n_query): places left for the tie group
    if ties == "expected":
        hit = np.clip(places / tied, 0, 1)
    else:
        ahead = {"best": np.zeros_like(tied), "worst": tied - 1, "index": tied_before}[ties]
        hit = (places > ahead).astype(np.float64)
    scores: Scores = hit.mean(axis=1)
    return scores


def target_rows(targets: Any, n_query: int, n_database: int) -> Rows:
    """Return the database row of each query's right item: by default row i for query i."""
    rows = np.arange(n_query) if targets is None else np.asarray(targets)
    if rows.shape != (n_query,) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"targets must hold one database row per query ({n_query}), "
            f"but it is {rows.dtype} of shape {rows.shape}"
        )
    if rows.min() < 0 or rows.max() >= n_database:
        raise ValueError(
            f"targets must be database rows from 0 to {n_database - 1}, "
            f"but they reach from {rows.min()} to {rows.max()}; "
            "give targets where query i does not belong to row i"
        )
    return rows.astype(np.int64)
