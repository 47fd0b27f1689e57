"""The four arrays of a ranking, checked once and read slab by slab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._checks import is_torch
from cmh_metrics._codes import CodeRows
from cmh_metrics._labels import LabelRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cmh_metrics._packing import Words

SLAB_ROWS = 61_440  # database rows in memory at a time: four chunks of the bit-sliced kernel, not quite full


@dataclass(frozen=True, eq=False)
class Slab:
    """All queries and some consecutive rows of the database, packed.

    Args:
        query_words: `(n_query, n_word)` uint64.
        query_labels: `(n_query, n_label_word)` uint64.
        database_words: `(n_row, n_word)` uint64.
        database_labels: `(n_row, n_label_word)` uint64.
    """

    query_words: Words
    query_labels: Words
    database_words: Words
    database_labels: Words

    def columns(self) -> tuple[Words, Words]:
        """Return codes and labels of the database column by column, `(n_word, n_row)` each."""
        return np.ascontiguousarray(self.database_words.T), np.ascontiguousarray(self.database_labels.T)


class RankingInputs:
    """Queries in memory, packed; the database as row sources that are packed slab by slab.

    Args:
        query_codes: see `ranking_tables`, as the other three.
        database_codes: a row source.
        query_labels: multi-hot.
        database_labels: a row source.

    Raises:
        ValueError: if an array is missing, is not what it should be, or does not fit the others.
    """

    def __init__(
        self, *, query_codes: Any, database_codes: Any, query_labels: Any, database_labels: Any
    ) -> None:
        queries, self.database = (
            CodeRows(query_codes, "query_codes"),
            CodeRows(database_codes, "database_codes"),
        )
        wanted, self.database_labels = (
            LabelRows(query_labels, "query_labels"),
            LabelRows(database_labels, "database_labels"),
        )
        check_same_bits(queries, self.database)
        if wanted.n_label != self.database_labels.n_label:
            raise ValueError(
                "query_labels and database_labels must have the same number of columns, "
                f"but they have {wanted.n_label} and {self.database_labels.n_label}"
            )
        check_same_rows("query", queries, wanted)
        check_same_rows("database", self.database, self.database_labels)
        self.device: str | None = str(query_codes.device) if is_torch(query_codes) else None
        self.bits = queries.bits
        self.n_label = wanted.n_label
        self.n_query = len(queries)
        self.n_database = len(self.database)
        self.query_words: Words = queries.words(0, len(queries))
        self.query_labels: Words = wanted.words(0, len(wanted))

    def slabs(self) -> Iterator[Slab]:
        """Yield the queries with consecutive parts of the database."""
        for start in range(0, self.n_database, SLAB_ROWS):
            stop = min(start + SLAB_ROWS, self.n_database)
            yield Slab(
                self.query_words,
                self.query_labels,
                self.database.words(start, stop),
                self.database_labels.words(start, stop),
            )


def check_same_bits(queries: CodeRows, database: CodeRows) -> None:
    """Raise unless query and database codes have one length."""
    if queries.bits != database.bits:
        raise ValueError(
            "query_codes and database_codes must have the same number of bits, "
            f"but they have {queries.bits} and {database.bits}"
        )


def check_same_rows(side: str, codes: CodeRows, labels: LabelRows) -> None:
    """Raise unless every code has its label row."""
    if len(codes) != len(labels):
        raise ValueError(
            f"{side}_labels must have one row per row of {side}_codes ({len(codes)}), "
            f"but it has {len(labels)}"
        )
