"""Precision and recall, at a number of items and within a Hamming radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_metrics._average_precision import NO_RELEVANT, TIES, NoRelevant, Scores, Ties, require, tables_of
from cmh_metrics._checks import one_of, positive_integer
from cmh_metrics._inputs import RankingInputs
from cmh_metrics._ranking import no_kernel_for, tables_of_inputs, thread_count
from cmh_metrics._search import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._codes import Values
    from cmh_metrics._ranking import Backend
    from cmh_metrics._tables import RankingTables

Average = Literal["plain", "found"]
_BLOCK_ITEMS = 1 << 20  # ranked items in memory at a time


def precision_at(
    *,
    ks: Sequence[int],
    query_codes: Any = None,
    database_codes: Any = None,
    query_labels: Any = None,
    database_labels: Any = None,
    tables: RankingTables | None = None,
    ties: Ties = "expected",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Precision of the first k items, for several k.

    Args:
        ks: cut-offs, each at least 1; precision is divided by k even where the database has fewer items
            (TREC).
        query_codes: `(n_query, bits)`, see `ranking_tables`, as the other arrays.
        database_codes: `(n_database, bits)`.
        query_labels: `(n_query, n_label)` of 0 and 1.
        database_labels: `(n_database, n_label)` of 0 and 1.
        tables: what `ranking_tables` returned, in place of the four arrays.
        ties: as for `average_precision`; `"index"` needs the arrays, and memory for the packed labels of the
            whole database, 8 bytes an item up to 64 labels.
        values: what a value of the codes means, see `ranking_tables`.
        backend: see `ranking_tables`.
        threads: see `ranking_tables`.

    Returns:
        `(n_query, len(ks))` float64; average over axis 0 for the usual curve.

    Raises:
        ValueError: if an argument is not as described.

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
    cuts = _cuts(ks)
    found, _ = _found(
        cuts, ties=ties, tables=tables, values=values, backend=backend, threads=threads,
        query_codes=query_codes, database_codes=database_codes, query_labels=query_labels,
        database_labels=database_labels,
    )  # fmt: skip
    scores: Scores = found / cuts
    return scores


def recall_at(
    *,
    ks: Sequence[int],
    query_codes: Any = None,
    database_codes: Any = None,
    query_labels: Any = None,
    database_labels: Any = None,
    tables: RankingTables | None = None,
    ties: Ties = "expected",
    no_relevant: NoRelevant = "zero",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Scores:
    """Share of a query's relevant items among the first k, for several k.

    The arguments are those of `precision_at`, and `no_relevant` as for `average_precision`.

    Returns:
        `(n_query, len(ks))` float64, with fewer rows if queries are skipped.

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
    one_of(no_relevant, "no_relevant", NO_RELEVANT)
    found, n_relevant = _found(
        _cuts(ks), ties=ties, tables=tables, values=values, backend=backend, threads=threads,
        query_codes=query_codes, database_codes=database_codes, query_labels=query_labels,
        database_labels=database_labels,
    )  # fmt: skip
    scores: Scores = found / np.maximum(n_relevant, 1)[:, None]
    if no_relevant == "skip":
        return scores[n_relevant > 0]
    if no_relevant == "nan":
        scores[n_relevant == 0] = np.nan
    return scores


@dataclass(frozen=True, eq=False)
class RadiusCurve:
    """Precision and recall of everything within a Hamming radius, averaged over queries.

    Args:
        radius: `(bits + 1,)` int64, 0 to the code length, in bits.
        precision: `(bits + 1,)` float64; NaN where no query counts.
        recall: `(bits + 1,)` float64; NaN where no query counts.
    """

    radius: np.ndarray[Any, np.dtype[np.int64]]
    precision: Scores
    recall: Scores


def precision_recall_by_radius(
    *,
    query_codes: Any = None,
    database_codes: Any = None,
    query_labels: Any = None,
    database_labels: Any = None,
    tables: RankingTables | None = None,
    average: Average = "plain",
    values: Values = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> RadiusCurve:
    """Precision and recall within every Hamming radius ("hash lookup").

    Args:
        query_codes: `(n_query, bits)`, see `ranking_tables`, as the other arrays.
        database_codes: `(n_database, bits)`.
        query_labels: `(n_query, n_label)` of 0 and 1.
        database_labels: `(n_database, n_label)` of 0 and 1.
        tables: what `ranking_tables` returned, in place of the four arrays.
        average: `"plain"`: over all queries; one that retrieves nothing has precision 0. `"found"`: at each
            radius over the queries that retrieve something relevant there, which is what AGAH's program
            prints (it makes the precision at small radii look better).
        values: what a value of the codes means, see `ranking_tables`.
        backend: see `ranking_tables`.
        threads: see `ranking_tables`.

    Returns:
        The curve, one point per radius from 0 to the code length.

    Raises:
        ValueError: if an argument is not as described.

    Example:
        >>> curve = precision_recall_by_radius(
        ...     query_codes=[[1]], database_codes=[[1], [-1]], query_labels=[[1]], database_labels=[[1], [0]]
        ... )
        >>> curve.precision.tolist(), curve.recall.tolist()
        ([1.0, 0.5], [1.0, 1.0])
    """
    one_of(average, "average", ("plain", "found"))
    tables = tables_of(
        tables=tables, values=values, backend=backend, threads=threads, query_codes=query_codes,
        database_codes=database_codes, query_labels=query_labels, database_labels=database_labels,
    )  # fmt: skip
    retrieved, relevant = tables.retrieved.cumsum(axis=1), tables.relevant.cumsum(axis=1)
    precision = relevant / np.maximum(retrieved, 1)  # (n_query, bits + 1)
    recall = relevant / np.maximum(relevant[:, -1:], 1)
    counted = np.full_like(relevant, len(tables)) if average == "plain" else relevant > 0
    n_counted = counted.sum(axis=0) if average == "found" else counted[0]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
        return RadiusCurve(
            np.arange(tables.bits + 1), precision.sum(axis=0) / n_counted, recall.sum(axis=0) / n_counted
        )


def _cuts(ks: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    cuts = [positive_integer(k, "ks") for k in np.atleast_1d(np.asarray(ks)).tolist()]
    if not cuts:
        raise ValueError("ks must hold at least one cut-off, but it is empty")
    return np.array(cuts, np.int64)


def _found(
    cuts: np.ndarray[Any, np.dtype[np.int64]],
    *,
    ties: str,
    tables: RankingTables | None,
    values: Values,
    backend: Backend,
    threads: int | None,
    **arrays: Any,
) -> tuple[Scores, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return `(n_query, n_cut)` relevant items among the first k, and `(n_query,)` all relevant items."""
    one_of(ties, "ties", TIES)
    if ties == "index":
        if tables is not None:
            raise ValueError(
                "ties='index' needs the four arrays: tables do not know the order of database rows"
            )
        require(arrays)
        inputs = RankingInputs(**arrays, values=values)
        return _found_by_index(inputs, cuts, backend, thread_count(threads))
    tables = tables_of(tables=tables, values=values, backend=backend, threads=threads, **arrays)
    n, r = tables.retrieved, tables.relevant
    before = n.cumsum(axis=1) - n  # items ranked before each tie group
    found = np.empty((len(tables), len(cuts)))
    for column, k in enumerate(cuts):
        places = np.clip(k - before, 0, n)  # of each tie group, how many places are among the first k
        if ties == "expected":
            inside = r * (places / np.maximum(n, 1))
        elif ties == "best":
            inside = np.minimum(r, places)
        else:
            inside = np.maximum(0, r - (n - places))
        found[:, column] = inside.sum(axis=1)
    return found, r.sum(axis=1)


def _found_by_index(
    inputs: RankingInputs, cuts: np.ndarray[Any, np.dtype[np.int64]], backend: Backend, threads: int
) -> tuple[Scores, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the same with equally distant items in database order, from a search for the nearest items."""
    no_kernel_for("ties='index'", backend)
    n_relevant = tables_of_inputs(inputs, backend=backend, threads=threads).relevant.sum(axis=1)
    labels = inputs.database_labels.words(0, inputs.n_database)
    k = min(int(cuts.max()), inputs.n_database)
    found = np.empty((inputs.n_query, len(cuts)))
    step = max(1, _BLOCK_ITEMS // k)
    for start in range(0, inputs.n_query, step):
        part = slice(start, start + step)
        _, rows = nearest(inputs.query_words[part], inputs.database, k=k, threads=threads)
        shared = inputs.query_labels[part, None, :] & labels[rows]  # (block, k, n_label_word)
        found[part] = (shared != 0).any(axis=2).cumsum(axis=1)[:, np.minimum(cuts, k) - 1]
    return found, n_relevant
