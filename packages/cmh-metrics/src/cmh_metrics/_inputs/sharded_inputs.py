"""Queries, and a database in shards: each shard is ranked by itself, and what they count adds up."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.checks import as_numpy
from cmh_metrics._inputs.codes import CodeRows
from cmh_metrics._inputs.compute import Compute
from cmh_metrics._inputs.labels import LabelRows, class_values
from cmh_metrics._inputs.ranking_inputs import ARRAYS, Inputs, RankingInputs
from cmh_metrics._inputs.shard_facts import ShardFacts, all_classes, check_size, codes_text, labels_text
from cmh_metrics._inputs.shards import ShardedDatabase, compute_of_each, each_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cmh_metrics._inputs.code_values import CodeValues
    from cmh_metrics._inputs.packing import Bits
    from cmh_metrics._inputs.ranking_inputs import Value
    from cmh_metrics._inputs.shards import OpenShard


def inputs_of(**arrays: Any) -> Inputs:
    """Check what the caller of a measure gave, whether its database is in one part or in shards."""
    if isinstance(arrays.get("query_codes"), ShardedDatabase):
        raise ValueError("query_codes must be an array: only the database can be a ShardedDatabase")  # noqa: TRY004
    if not isinstance(arrays.get("database_codes"), ShardedDatabase):
        return RankingInputs(**arrays)
    for name in ("database_labels", "database_ids"):
        if arrays.pop(name, None) is not None:
            raise ValueError(f"{name} must be left out with a ShardedDatabase, whose shards bring their own")
    if arrays.pop("exclude_self", False):
        raise ValueError(
            "exclude_self must be left out with a ShardedDatabase; give query_ids, and ids with each shard"
        )
    for name in ARRAYS[::2]:
        if arrays.get(name) is None:
            raise ValueError(f"{name} must be given, or tables in place of the arrays")
    return ShardedInputs(arrays.pop("database_codes"), **arrays)


def inputs_without_labels(*, query_codes: Any, database_codes: Any, **reading: Any) -> Inputs:
    """Do the same where labels don't matter."""
    if isinstance(database_codes, ShardedDatabase):
        return ShardedInputs(database_codes, query_codes=query_codes, query_labels=None, **reading)
    codes = {"query_codes": query_codes, "database_codes": database_codes}
    return inputs_of(
        **codes, query_labels=no_labels(query_codes), database_labels=no_labels(database_codes), **reading
    )


def no_labels(codes: Any) -> Any:
    """Return labels that nobody looks at."""
    return np.zeros((len(codes), 1), np.uint8)


class ShardedInputs(Inputs):
    """Queries in memory, as they came and packed; of the database, what its shards tell.

    Args:
        database: the shards.
        query_codes: see `RankingArguments`, as are all others.
        query_labels: None where labels don't matter.
        query_ids: `(n_query,)` or None.
        code_values: for both sides.
        threshold: for both sides.

    Raises:
        ValueError: if an array of the queries is not what it should be.
    """

    def __init__(
        self,
        database: ShardedDatabase,
        *,
        query_codes: Any,
        query_labels: Any,
        query_ids: Any = None,
        code_values: CodeValues = "auto",
        threshold: float | None = None,
    ) -> None:
        codes = CodeRows(query_codes, "query_codes", code_values=code_values, threshold=threshold)
        super().__init__(codes.bits, codes.words(0, len(codes)))
        self.database = database
        self._query_text = codes.text
        self._sent = {
            "query_codes": codes.in_memory(),
            "query_labels": None if query_labels is None else _own_labels(query_labels, self.n_query),
            "query_ids": None if query_ids is None else np.asarray(query_ids),
            "code_values": code_values,
            "threshold": threshold,
        }
        self._chosen: tuple[Any, Bits | None] | None = None
        self._known: list[ShardFacts] | None = None

    @property
    def n_database(self) -> int:
        """See `Inputs`."""
        return sum(facts.codes.n for facts in self._facts())

    @property
    def n_label(self) -> int:
        """See `Inputs`."""
        return int(self.label_bits.shape[1])

    @property
    def label_bits(self) -> Bits:
        """See `Inputs`."""
        labels = self._sent["query_labels"]
        if labels.ndim == 1:
            return np.asarray(labels[:, None] == all_classes(self._facts()))
        return np.asarray(labels > 0)

    @property
    def most_labels(self) -> int:
        """See `Inputs`."""
        labels = self._sent["query_labels"]
        return 1 if labels.ndim == 1 else int((labels > 0).sum(axis=1).max())

    @property
    def readings(self) -> dict[str, str]:
        """See `Inputs`."""
        facts = self._facts()
        return {
            "query_codes": self._query_text,
            "database_codes": codes_text(self.database, [one.codes for one in facts]),
            "labels": labels_text(self.database, facts),
        }

    @property
    def leaves_out(self) -> bool:
        """See `Inputs`."""
        return self._sent["query_ids"] is not None

    def for_queries(self, rows: Any, label_bits: Bits) -> ShardedInputs:
        """See `Inputs`; a query of one class keeps it."""
        chosen = copy(self)
        chosen.query_words = self.query_words[rows]
        chosen.n_query = len(chosen.query_words)
        chosen._chosen = rows, None if self._sent["query_labels"].ndim == 1 else label_bits  # noqa: SLF001 - its own
        return chosen

    def of_each_part(
        self,
        function: Callable[[RankingInputs, Compute, Any], Value],
        compute: Compute,
        given: Iterable[Any] | None,
    ) -> Iterator[Value]:
        """See `Inputs`; what is given for a shard travels with it, and goes nowhere else.

        Checks that the shards fit together, and have the same rows at each reading.

        Raises:
            ValueError: if they don't, or haven't.
        """
        sizes = [] if self._known is None else [one.codes.n for one in self._known]
        work = _RankShard(self._sent, self._chosen, sizes, function, compute_of_each(self.database, compute))
        found = []
        for number, (facts, value) in enumerate(each_shard(self.database, work, given)):
            if sizes:
                check_size(self.database, number, facts.codes.n, sizes[number])
            found.append(facts)
            yield value
        if not sizes:
            codes_text(self.database, [one.codes for one in found])  # raise if shards don't fit together
            labels_text(self.database, found)
            self._known = found

    def _facts(self) -> list[ShardFacts]:
        """Return what the shards tell of themselves; reads them for it if nobody has yet."""
        if self._known is None:
            list(self.of_parts(_nothing, Compute.resolve("auto", None)))
        assert self._known is not None
        return self._known


@dataclass(frozen=True, eq=False)
class _RankShard:
    """What a worker does with a shard.

    Args:
        sent: the queries, and how codes are read.
        chosen: rows and labels of `for_queries`, None for the queries as they are.
        sizes: rows of each shard, empty as long as nobody knows.
        function: what is asked of the shard with its queries, and of what is given for it.
        compute: how.
    """

    sent: dict[str, Any]
    chosen: tuple[Any, Bits | None] | None
    sizes: list[int]
    function: Callable[[RankingInputs, Compute, Any], Any]
    compute: Compute

    def __call__(self, shard: OpenShard) -> tuple[ShardFacts, Any]:
        sent = dict(self.sent)
        labels = shard.labels
        if sent["query_labels"] is None:
            sent["query_labels"], labels = no_labels(sent["query_codes"]), no_labels(shard.codes)
        elif labels is None:
            raise ValueError("labels must be given for this measure, but they are None")
        ids = None
        if sent["query_ids"] is not None:
            if shard.ids is None:
                raise ValueError("ids must be given where query_ids are, but they are None")
            ids = shard.ids[:]
        first_row = sum(self.sizes[: shard.number])
        part = RankingInputs(
            **sent, database_codes=shard.codes, database_labels=labels, database_ids=ids, first_row=first_row
        )
        facts = ShardFacts.of(part)
        if self.chosen is not None:
            rows, label_bits = self.chosen
            part = part.for_queries(rows, part.label_bits[rows] if label_bits is None else label_bits)
        return facts, self.function(part, self.compute, shard.given)


def _nothing(part: RankingInputs, compute: Compute) -> None:
    """Ask nothing of a shard but what it tells of itself."""


def _own_labels(labels: Any, n_query: int) -> Any:
    """Return the labels of the queries as an array that can be sent, checked."""
    name = "query_labels"
    if len(getattr(labels, "shape", None) or np.shape(labels)) == 1:
        rows: Any = class_values(labels, name)
    else:
        table = LabelRows(labels, name)
        table = LabelRows(labels, name, signed=table.has_minus_one())
        table.words(0, len(table))
        rows = as_numpy(table.source[:], name)
    if len(rows) != n_query:
        raise ValueError(
            f"{name} must have one row per row of query_codes ({n_query}), but it has {len(rows)}"
        )
    return rows
