"""Database rows that are left out of a query's ranking, as its own row in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cmh_metrics._inputs.packing import Words

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Excluded:
    """Pairs of a query and a database row that does not count for it.

    Args:
        starts: `(n_query + 1,)` int64, where each query's rows begin.
        rows: `(n_pair,)` int64 database rows, ascending within a query.
        words: `(n_pair, n_word)` uint64, packed codes of these rows.
        labels: `(n_pair, n_label_word)` uint64, their packed labels.
    """

    starts: Rows
    rows: Rows
    words: Words
    labels: Words

    @property
    def queries(self) -> Rows:
        """`(n_pair,)` int64, the query of each pair."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def distances(self, query_words: Words) -> Rows:
        """Return `(n_pair,)` int64 distances in bits."""
        found: Rows = np.bitwise_count(query_words[self.queries] ^ self.words).sum(axis=1, dtype=np.int64)
        return found

    def shared_labels(self, query_labels: Words) -> Rows:
        """Return `(n_pair,)` int64, how many labels each pair shares."""
        found: Rows = np.bitwise_count(query_labels[self.queries] & self.labels).sum(axis=1, dtype=np.int64)
        return found

    def for_queries(self, chosen: Any) -> Excluded:
        """Return the pairs of some queries, which may repeat."""
        counts = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], counts.cumsum()])
        pairs = np.arange(starts[-1]) + np.repeat(self.starts[:-1][chosen] - starts[:-1], counts)
        return Excluded(starts, self.rows[pairs], self.words[pairs], self.labels[pairs])


def excluded_rows(
    n_query: int, n_database: int, *, exclude_self: bool, query_ids: Any, database_ids: Any
) -> tuple[Rows, Rows] | None:
    """Return (starts, rows) of what is left out of each query's ranking, None if nothing is.

    Raises:
        ValueError: if query i can't be row i, or ids are not one for each row.
    """
    if query_ids is None and database_ids is None:
        if not exclude_self:
            return None
        if n_query != n_database:
            raise ValueError(
                "exclude_self must come with as many queries as database rows, query i being row i, but "
                f"there are {n_query} and {n_database}; give query_ids and database_ids"
            )
        return np.arange(n_query + 1), np.arange(n_query)
    if exclude_self or query_ids is None or database_ids is None:
        raise ValueError(
            "query_ids and database_ids must come together and without exclude_self, but they don't"
        )
    of_queries, of_database = (
        _ids(ids, name, n)
        for ids, name, n in (
            (query_ids, "query_ids", n_query),
            (database_ids, "database_ids", n_database),
        )
    )
    if (of_queries.dtype.kind in "iu") != (of_database.dtype.kind in "iu"):
        raise ValueError(
            "query_ids and database_ids must both be integers or both be strings, "
            f"but they are {of_queries.dtype} and {of_database.dtype}"
        )
    order = np.argsort(of_database, kind="stable")  # rows of one id stay ascending
    ordered = of_database[order]
    first, last = np.searchsorted(ordered, of_queries, "left"), np.searchsorted(ordered, of_queries, "right")
    starts = np.concatenate([[0], (last - first).cumsum()])
    places = np.arange(starts[-1]) + np.repeat(first - starts[:-1], last - first)
    return starts, order[places]


def _ids(ids: Any, name: str, n: int) -> Any:
    array = np.asarray(ids)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.ravel()):
        array = array.astype(str)
    if array.shape != (n,) or array.dtype.kind not in "iuUS":
        raise ValueError(
            f"{name} must hold one integer or string a row ({n}), but it is {array.dtype} of shape "
            f"{array.shape}"
        )
    return array
