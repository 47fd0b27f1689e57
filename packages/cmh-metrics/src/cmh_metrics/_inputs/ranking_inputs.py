"""The four arrays of a ranking, checked once and read slab by slab."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from cmh_metrics._inputs.checks import is_torch
from cmh_metrics._inputs.codes import CodeRows, both_sides
from cmh_metrics._inputs.excluded import Excluded, excluded_rows
from cmh_metrics._inputs.labels import ClassRows, LabelRows, both_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.compute import Compute
    from cmh_metrics._inputs.excluded import Rows
    from cmh_metrics._inputs.packing import Bits, Words

ARRAYS = ("query_codes", "database_codes", "query_labels", "database_labels")
_ROWS_TO_JUDGE = 32  # in fewer rows a bit may be the same by chance
SLAB_ROWS = 61_440  # database rows in memory at a time: four chunks of the bit-sliced kernel, not quite full
Value = TypeVar("Value")
Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, eq=False)
class Slab:
    """All queries and some consecutive rows of the database, packed.

    Args:
        query_words: `(n_query, n_word)` uint64.
        query_labels: `(n_query, n_label_word)` uint64.
        database_words: `(n_row, n_word)` uint64.
        database_labels: `(n_row, n_label_word)` uint64.
        start: the first of these rows.
    """

    query_words: Words
    query_labels: Words
    database_words: Words
    database_labels: Words
    start: int = 0

    def columns(self) -> tuple[Words, Words]:
        """Return codes and labels of the database column by column, `(n_word, n_row)` each."""
        return np.ascontiguousarray(self.database_words.T), np.ascontiguousarray(self.database_labels.T)


class Inputs(ABC):
    """What measures know of a ranking: the queries, and a database in one part or in several.

    Args:
        bits: code length in bits.
        query_words: `(n_query, n_word)` uint64.
    """

    def __init__(self, bits: int, query_words: Words) -> None:
        self.bits = bits
        self.query_words = query_words
        self.n_query = len(query_words)

    @property
    @abstractmethod
    def n_database(self) -> int:
        """Rows of the whole database."""

    @property
    @abstractmethod
    def n_label(self) -> int:
        """Columns of the labels, or classes that occur."""

    @property
    @abstractmethod
    def label_bits(self) -> Bits:
        """`(n_query, n_label)` booleans: the labels of the queries."""

    @property
    @abstractmethod
    def most_labels(self) -> int:
        """How many labels the query carries that carries most."""

    @property
    @abstractmethod
    def readings(self) -> dict[str, str]:
        """How the values of each array were read."""

    @property
    @abstractmethod
    def leaves_out(self) -> bool:
        """Whether rows of the database are left out of some queries' rankings."""

    @abstractmethod
    def for_queries(self, rows: Any, label_bits: Bits) -> Inputs:
        """Return the same database with some of the queries, which may repeat, and with labels for these."""

    def of_parts(
        self,
        function: Callable[Concatenate[RankingInputs, Compute, Parameters], Value],
        compute: Compute,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Iterator[Value]:
        """Yield `function(part, compute, ...)` of each part of the database, in order."""
        return self.of_each_part(partial(_called, function, args, kwargs), compute, None)

    @abstractmethod
    def of_each_part(
        self,
        function: Callable[[RankingInputs, Compute, Any], Value],
        compute: Compute,
        given: Iterable[Any] | None,
    ) -> Iterator[Value]:
        """Yield `function(part, compute, one)` of each part and what is given for it, or None, in order."""

    def warnings(self, extremes: Sequence[tuple[Words, Words]]) -> tuple[str, ...]:
        """Return a sentence for each side whose codes are all equal, or have bits that never change.

        `extremes` are the `Extremes.words` of each part of the database.
        """
        said = []
        for name, lows, highs, seen in (
            ("query codes", [self.query_words], [self.query_words], self.n_query),
            ("database codes", [low for low, _ in extremes], [high for _, high in extremes], self.n_database),
        ):
            low = np.bitwise_and.reduce(np.concatenate(lows))
            high = np.bitwise_or.reduce(np.concatenate(highs))
            n_constant = self.bits - int(np.bitwise_count(low ^ high).sum())
            if n_constant == self.bits and seen > 1:
                said.append(f"{name}: all codes are equal, {n_constant} of {self.bits} bits never change")
            elif n_constant and seen >= _ROWS_TO_JUDGE:
                said.append(f"{name}: {n_constant} of {self.bits} bits never change")
        return tuple(said)


def _called(
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    part: RankingInputs,
    compute: Compute,
    _given: None,
) -> Any:
    return function(part, compute, *args, **kwargs)


class RankingInputs(Inputs):
    """Queries in memory, packed; the database as row sources that are packed slab by slab.

    The arguments are those of `RankingArguments`; `first_row` is the number of the first row in a database of
    several parts.

    Raises:
        ValueError: if an array is missing, is not what it should be, or does not fit the others.
    """

    def __init__(
        self,
        *,
        query_codes: Any,
        database_codes: Any,
        query_labels: Any,
        database_labels: Any = None,
        exclude_self: bool = False,
        query_ids: Any = None,
        database_ids: Any = None,
        code_values: CodeValues = "auto",
        threshold: float | None = None,
        first_row: int = 0,
    ) -> None:
        arrays = (query_codes, database_codes, query_labels, database_labels)
        for name, array in zip(ARRAYS, arrays, strict=True):
            if array is None:
                raise ValueError(f"{name} must be given, or tables in place of the four arrays")
        self.query_codes, self.database = both_sides(query_codes, database_codes, code_values, threshold)
        labels, self.database_labels = both_labels(query_labels, database_labels)
        check_same_rows("query", self.query_codes, labels)
        check_same_rows("database", self.database, self.database_labels)
        self.device = device_of(*arrays)
        super().__init__(self.query_codes.bits, self.query_codes.words(0, len(self.query_codes)))
        self.first_row = first_row
        self.query_labels: Words = labels.words(0, self.n_query)
        pairs = excluded_rows(
            self.n_query,
            self.n_database,
            exclude_self=exclude_self,
            query_ids=query_ids,
            database_ids=database_ids,
        )
        self.excluded = None if pairs is None else self._excluded(*pairs)

    @property
    def n_database(self) -> int:
        """See `Inputs`."""
        return len(self.database)

    @property
    def n_label(self) -> int:
        """See `Inputs`."""
        return self.database_labels.n_label

    @property
    def label_bits(self) -> Bits:
        """See `Inputs`."""
        little = np.ascontiguousarray(self.query_labels.astype("<u8", copy=False)).view(np.uint8)
        return np.unpackbits(little, axis=1, count=self.n_label, bitorder="little").view(np.bool_)

    @property
    def most_labels(self) -> int:
        """See `Inputs`."""
        return int(np.bitwise_count(self.query_labels).sum(axis=1).max())

    @property
    def readings(self) -> dict[str, str]:
        """See `Inputs`."""
        return {
            "query_codes": self.query_codes.text,
            "database_codes": self.database.text,
            "labels": self.database_labels.text,
        }

    @property
    def leaves_out(self) -> bool:
        """See `Inputs`."""
        return self.excluded is not None

    def of_each_part(
        self,
        function: Callable[[RankingInputs, Compute, Any], Value],
        compute: Compute,
        given: Iterable[Any] | None,
    ) -> Iterator[Value]:
        """See `Inputs`."""
        (one,) = (None,) if given is None else given
        yield function(self, compute, one)

    def for_queries(self, rows: Any, label_bits: Bits) -> RankingInputs:
        """See `Inputs`."""
        chosen = copy(self)
        chosen.query_words = np.ascontiguousarray(self.query_words[rows])
        chosen.n_query = len(chosen.query_words)
        chosen.query_labels = LabelRows(label_bits, "query_labels").words(0, chosen.n_query)
        chosen.excluded = None if self.excluded is None else self.excluded.for_queries(rows)
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
                start,
            )

    def _excluded(self, starts: Rows, rows: Rows) -> Excluded:
        """Return the rows that are left out, with their codes and labels, which are read slab by slab."""
        words = np.zeros((len(rows), self.query_words.shape[1]), np.uint64)
        labels = np.zeros((len(rows), self.query_labels.shape[1]), np.uint64)
        for slab in self.slabs() if len(rows) else ():
            here = (rows >= slab.start) & (rows < slab.start + len(slab.database_words))
            words[here] = slab.database_words[rows[here] - slab.start]
            labels[here] = slab.database_labels[rows[here] - slab.start]
        return Excluded(starts, rows, words, labels)


class Extremes:
    """Which bits are set in all codes of a part of a database, and which in any.

    Args:
        n_word: words of a code.
    """

    def __init__(self, n_word: int) -> None:
        low: Words = np.full((1, n_word), ~np.uint64(0))
        self.words = low, np.zeros_like(low)  # (1, n_word) each

    def add(self, slab: Slab) -> None:
        """Take some rows in."""
        low, high = self.words
        low &= np.bitwise_and.reduce(slab.database_words)
        high |= np.bitwise_or.reduce(slab.database_words)


def device_of(*arrays: Any) -> str | None:
    """Return where tensors among the arrays live, a GPU before the CPU; None if there is no tensor."""
    devices = [str(array.device) for array in arrays if is_torch(array)]
    return next((device for device in devices if device != "cpu"), devices[0] if devices else None)


def check_same_rows(side: str, codes: CodeRows, labels: LabelRows | ClassRows) -> None:
    """Raise unless every code has its label row."""
    if len(codes) != len(labels):
        raise ValueError(
            f"{side}_labels must have one row per row of {side}_codes ({len(codes)}), "
            f"but it has {len(labels)}"
        )
