"""What shards tell of themselves, so that one that does not fit the others is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_metrics._inputs.code_values import CodeValueError
from cmh_metrics._inputs.labels import ClassRows, class_text
from cmh_metrics._inputs.shards import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cmh_metrics._inputs.codes import CodeRows
    from cmh_metrics._inputs.ranking_inputs import RankingInputs
    from cmh_metrics._inputs.shards import ShardedDatabase


@dataclass(frozen=True)
class CodeFacts:
    """Of the codes of a shard: how many there are, and how their values were read.

    Args:
        n: rows.
        text: what a report says of the values.
        signed: whether they were found to be signs or real outputs, so that a zero counts as +1.
        binary: whether they were found to be nothing but 0 and 1, so that a zero counts as 0.
        zero: whether a zero is among those.
    """

    n: int
    text: str
    signed: bool
    binary: bool
    zero: bool

    @classmethod
    def of(cls, codes: CodeRows) -> CodeFacts:
        """Return the facts of a shard that is open."""
        reading = codes.reading
        kind = "packed" if reading is None else reading.kind
        binary = reading is not None and reading.may_be_sign
        zero = binary and reading is not None and reading.contains_zero()
        return cls(len(codes), codes.text, kind in ("signs", "real"), binary, zero)


@dataclass(frozen=True, eq=False)
class ShardFacts:
    """Of a shard with labels.

    Args:
        codes: of its codes.
        labels: what a report says of the labels.
        classes: `(n_class,)` the classes of queries and shard, None where labels are a table.
    """

    codes: CodeFacts
    labels: str
    classes: Any

    @classmethod
    def of(cls, part: RankingInputs) -> ShardFacts:
        """Return the facts of a shard that is open."""
        labels = part.database_labels
        return cls(
            CodeFacts.of(part.database), labels.text, labels.names if isinstance(labels, ClassRows) else None
        )


def codes_text(database: ShardedDatabase, facts: Sequence[CodeFacts]) -> str:
    """Return what a report says of the codes of all shards.

    Raises:
        CodeValueError: if zeros mean 0 in one shard and +1 in another.
    """
    signed = next((number for number, one in enumerate(facts) if one.signed), None)
    zeros = next((number for number, one in enumerate(facts) if one.zero), None)
    if signed is not None and zeros is not None:
        raise CodeValueError(
            f"{title_of(database, zeros)} must mean the same by a zero as the others, but it holds nothing "
            f"but 0 and 1, and {title_of(database, signed)} holds signs or real outputs",
            "code_values",
        )
    texts = [one.text for one in facts]
    if signed is not None:  # what was found first holds for all, as in one array; ones alone are signs, too
        texts = [texts[signed] if one.signed or one.binary else one.text for one in facts]
    return ", ".join(dict.fromkeys(texts))


def labels_text(database: ShardedDatabase, facts: Sequence[ShardFacts]) -> str:
    """Return what a report says of the labels of all shards.

    Raises:
        ValueError: if they are written differently.
    """
    classes = all_classes(facts)
    if classes is not None:
        return class_text(classes)
    other = next((number for number, one in enumerate(facts) if one.labels != facts[0].labels), None)
    if other is not None:
        raise ValueError(
            f"{title_of(database, other)} must have labels as {title_of(database, 0)} has, which are "
            f"{facts[0].labels}, but they are {facts[other].labels}"
        )
    return facts[0].labels


def all_classes(facts: Sequence[ShardFacts]) -> Any:
    """Return `(n_class,)` the classes of queries and all shards, ascending; None where labels are a table."""
    if facts[0].classes is None:
        return None
    return np.unique(np.concatenate([one.classes for one in facts]))


def check_size(database: ShardedDatabase, number: int, n: int, n_before: int) -> None:
    """Raise if a shard has other rows than when it was read before."""
    if n != n_before:
        raise ValueError(
            f"{title_of(database, number)} must stay as it is while it is scored, but it had {n_before} "
            f"rows and now has {n}"
        )
