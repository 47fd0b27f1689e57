"""What "mAP" means: the cut-off, what it is divided by, ties, and queries without a relevant item."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from cmh_metrics._inputs.checks import one_of, positive_integer

Normalise = Literal["min", "retrieved", "relevant", "first-relevant"]
Ties = Literal["expected", "best", "worst", "index"]
NoRelevant = Literal["zero", "skip", "skip-no-hit", "nan"]
Empty = Literal["zero", "skip", "nan"]
NORMALISE: tuple[str, ...] = get_args(Normalise)
TIES: tuple[str, ...] = get_args(Ties)
NO_RELEVANT: tuple[str, ...] = get_args(NoRelevant)
EMPTY: tuple[str, ...] = get_args(Empty)
WHOLE = int(np.iinfo(np.int64).max)  # the cut-off of a whole ranking

_DIVISORS = {
    "min": "divided by min(R, k), R being the number of relevant items",
    "retrieved": "divided by the relevant items among the first k",
    "relevant": "divided by the number of relevant items",
    "first-relevant": "of the first k relevant items wherever they rank",
}
_TIES = {
    "expected": "tie-aware (expected over random order of equal distances)",
    "best": "relevant items first among equal distances",
    "worst": "relevant items last among equal distances",
    "index": "equal distances in database order",
}
_EMPTY = {
    "zero": "scored as 0",
    "skip": "left out",
    "skip-no-hit": "within the cut-off left out",
    "nan": "scored as NaN",
}

Scores = np.ndarray[Any, np.dtype[np.float64]]
Bits = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Definition:
    """One definition of mean average precision; prints as text that `parse` reads.

    Args:
        k: cut-off, at least 1; None ranks the whole database.
        normalise: `"min"`, `"retrieved"`, `"relevant"` or `"first-relevant"`, see `average_precision`;
            without a cut-off all four are the same and `"min"` stands for them.
        ties: `"expected"`, `"best"`, `"worst"` or `"index"`, see `average_precision`.
        no_relevant: `"zero"`, `"skip"`, `"skip-no-hit"` or `"nan"`, see `average_precision`.

    Raises:
        ValueError: if a value is not one of these.

    Example:
        >>> print(Definition(k=50, normalise="retrieved"))
        retrieved@50, ties expected
        >>> Definition.parse("all, ties index, no relevant skip")
        Definition(k=None, normalise='min', ties='index', no_relevant='skip')
    """

    k: int | None = None
    normalise: Normalise = "min"
    ties: Ties = "expected"
    no_relevant: NoRelevant = "zero"

    def __post_init__(self) -> None:
        one_of(self.normalise, "normalise", NORMALISE)
        one_of(self.ties, "ties", TIES)
        one_of(self.no_relevant, "no_relevant", NO_RELEVANT)
        if self.k is None:
            object.__setattr__(self, "normalise", "min")
        else:
            object.__setattr__(self, "k", positive_integer(self.k, "k"))

    def __str__(self) -> str:
        cut = "all" if self.k is None else f"{self.normalise}@{self.k}"
        left_out = "" if self.no_relevant == "zero" else f", no relevant {self.no_relevant}"
        return f"{cut}, ties {self.ties}{left_out}"

    @classmethod
    def parse(cls, text: str) -> Definition:
        """Read a definition that was printed; what the text leaves out has its default.

        Args:
            text: `all` or `NORMALISE@K`, then `ties TIES` and `no relevant NO_RELEVANT` if wanted, with
                commas between them.

        Returns:
            The definition.

        Raises:
            ValueError: if the text is something else.

        Example:
            >>> Definition.parse("first-relevant@5").k
            5
        """
        names = ("|".join(choices) for choices in (NORMALISE, TIES, NO_RELEVANT))
        pattern = (
            r"(?:all|(?P<normalise>{})@(?P<k>[1-9][0-9]*))(?:, ties (?P<ties>{}))?"
            r"(?:, no relevant (?P<no_relevant>{}))?"
        )
        found = re.fullmatch(pattern.format(*names), text.strip())
        if found is None:
            raise ValueError(
                f"a definition of mAP must be all or NORMALISE@K with NORMALISE one of "
                f"{', '.join(NORMALISE)} and K at least 1, if wanted with ', ties TIES' and "
                f"', no relevant RULE' after it, but it is {text!r}"
            )
        given: dict[str, Any] = {
            name: value for name, value in found.groupdict().items() if value is not None
        }
        if "k" in given:
            given["k"] = int(given["k"])
        return cls(**given)

    @property
    def description(self) -> str:
        """The definition in words, for people who do not know the names."""
        cut = "over the whole ranking" if self.k is None else f"@{self.k} {_DIVISORS[self.normalise]}"
        return f"mAP {cut}; {_TIES[self.ties]}; queries without a relevant item {_EMPTY[self.no_relevant]}"

    @property
    def cut(self) -> int:
        """The cut-off as a number, also of a whole ranking."""
        return WHOLE if self.k is None else self.k


def treat_empty(scores: Scores, no_relevant: str) -> Scores:
    """Apply the rule for queries without a relevant item, `(n_query, ...)` scores of which are NaN."""
    empty = np.isnan(scores)
    if no_relevant == "zero":
        return np.where(empty, 0.0, scores)
    if no_relevant == "skip":
        return scores[~empty.any(axis=tuple(range(1, scores.ndim)))]
    return scores
