"""What was asked: the rule of a plan, as it is written into its JSON record."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

Select = Literal["first", "last", "random", "ranked"]
Partial = Literal["largest-remainder", "position"]
RankFrom = Literal["highest", "lowest"]
UnpairedTextAt = Literal["end", "start"]
TextRows = Literal["front", "back"]
EmptyScope = Literal["train", "all-rows", "whole-array"]


class PlanRule(BaseModel):
    """The question a plan answers; the answer is the plan itself.

    Attributes:
        kind: `"unpairing"` (this package's rule), `"pdr"` (partial data ratio) or `"published-2022"`.
        unpaired_images: Percentage of training images that keep no text.
        unpaired_text: Percentage of training texts that keep no image.
        discard: Percentage of training pairs removed.
        shuffle: Percentage of training texts given to another image.
        block: Rows per block, or None where the whole set is one block.
        select: Which rows of a block come first.
        partial: How the last block is treated when it is not full.
        seed: Seed of every random draw, None where nothing is drawn.
        rank_from: Which end of the scores comes first, for `select="ranked"`.
        unpaired_text_at: From which end of the order unpaired texts come, where there are unpaired images.
        stratified: Whether each label set was a block of its own.
        nested: Whether a plan of a smaller percentage lies inside one of a greater.
        shuffle_labels: Whether a shuffled text takes its labels along.
        text_rows: Published rule only: which rows of a cycle lose their text.
        cycle: Published rule only: length of the cycle.
        empty_scope: Published rule only: which rows the image loop visits.
        integer_cast: Published rule only: whether rewritten matrices become integers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unpairing", "pdr", "published-2022"] = "unpairing"
    unpaired_images: float = 0
    unpaired_text: float = 0
    discard: float = 0
    shuffle: float = 0
    block: int | None = 100
    select: Select = "first"
    partial: Partial = "largest-remainder"
    seed: int | None = None
    rank_from: RankFrom = "highest"
    unpaired_text_at: UnpairedTextAt = "end"
    stratified: bool = False
    nested: bool = True
    shuffle_labels: bool = True
    text_rows: TextRows | None = None
    cycle: int | None = None
    empty_scope: EmptyScope | None = None
    integer_cast: bool = False

    @property
    def name(self) -> str:
        """The paper's short name, such as `UI20` or `UIT40` (20% of either kind)."""
        parts = {
            "UI": self.unpaired_images,
            "UT": self.unpaired_text,
            "SD": self.discard,
            "SHUFFLE": self.shuffle,
        }
        if self.unpaired_images and self.unpaired_images == self.unpaired_text:
            both = parts.pop("UI") + parts.pop("UT")
            parts = {"UIT": both} | parts
        return "+".join(f"{name}{share:g}" for name, share in parts.items() if share) or "paired"


def exact(percentage: float) -> Fraction:
    """The decimal number that was typed, so that 20.2% means 202/1000 and not its nearest double."""
    return Fraction(str(percentage))


def round_half_up(value: Fraction) -> int:
    """The nearest integer; a half goes up."""
    return int((value + Fraction(1, 2)).__floor__())


def round_half_down(value: Fraction) -> int:
    """The nearest integer; a half goes down."""
    return int((value - Fraction(1, 2)).__ceil__())
