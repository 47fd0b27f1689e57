"""The four arrays of a ranking, checked once and read slab by slab."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._checks import is_torch
from cmh_metrics._codes import CodeRows, Values, both_sides
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
        values: what a value of the codes means.

    Raises:
        ValueError: if an array is missing, is not what it should be, or does not fit the others.
    """

    def __init__(
        self,
        *,
        query_codes: Any,
        database_codes: Any,
        query_labels: Any,
        database_labels: Any,
        values: Values = "auto",
    ) -> None:
        queries, self.database = both_sides(query_codes, database_codes, values)
        wanted, self.database_labels = (
            LabelRows(query_labels, "query_labels"),
            LabelRows(database_labels, "database_labels"),
        )
        if wanted.n_label != self.database_labels.n_label:
            raise ValueError(
                "query_labels and database_labels must have the same number of columns, "
                f"but they have {wanted.n_label} and {self.database_labels.n_label}"
            )
        check_same_rows("query", queries, wanted)
        check_same_rows("database", self.database, self.database_labels)
        self.device = device_of(query_codes, database_codes, query_labels, database_labels)
        self.bits = queries.bits
        self.n_label = wanted.n_label
        self.n_query = len(queries)
        self.n_database = len(self.database)
        self.query_words: Words = queries.words(0, len(queries))
        self.query_labels: Words = wanted.words(0, len(wanted))

    def for_queries(self, rows: Any, query_labels: Any) -> RankingInputs:
        """Return the same database with some of the queries, which may repeat, and with labels for these."""
        chosen = copy(self)
        chosen.query_words = np.ascontiguousarray(self.query_words[rows])
        chosen.n_query = len(chosen.query_words)
        chosen.query_labels = LabelRows(query_labels, "query_labels").words(0, chosen.n_query)
        return chosen

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


def device_of(*arrays: Any) -> str | None:
    """Return where tensors among the arrays live, a GPU before the CPU; None if there is no tensor."""
    devices = [str(array.device) for array in arrays if is_torch(array)]
    return next((device for device in devices if device != "cpu"), devices[0] if devices else None)


def check_same_rows(side: str, codes: CodeRows, labels: LabelRows) -> None:
    """Raise unless every code has its label row."""
    if len(codes) != len(labels):
        raise ValueError(
            f"{side}_labels must have one row per row of {side}_codes ({len(codes)}), "
            f"but it has {len(labels)}"
        )
