"""The cells of the paper's tables: what happens to the training pairs before a method sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from cmh_unpair import UnpairingPlan, plan_unpairing
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from umml_cli.terms import Selected

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from umml_cli.terms import BaseScheme, Scheme

_COMPLETED = " completed"
Partial = Literal["largest-remainder", "position"]
"""What a last, partial block of a hundred rows gives: its exact share, or the places of a full block."""


class Cell(BaseModel):
    """What is done to the training pairs; the paper's cells are made by `Cell.of`.

    Args:
        unpaired_images: percent of the training images that keep no text.
        unpaired_text: percent of the training texts that keep no image.
        discard: percent of the training pairs thrown away.
        trained: False for the untrained network, the paper's random baseline.
        completed: whether items of other rows stand in for missing ones in training.
        select: which rows are changed first: those that come first in every block of a hundred, as in the
            paper, or of all rows those with the highest loss ("hardest") or the lowest ("easiest").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unpaired_images: float = Field(default=0, ge=0, le=100)
    unpaired_text: float = Field(default=0, ge=0, le=100)
    discard: float = Field(default=0, ge=0, le=100)
    trained: bool = True
    completed: bool = False
    select: Selected = "first"

    @model_serializer(mode="wrap")
    def _say_what_differs(
        self, serialise: SerializerFunctionWrapHandler, _info: SerializationInfo
    ) -> dict[str, object]:
        """Leave the usual selection out: the digests that name runs do not speak of it."""
        values: dict[str, object] = serialise(self)
        if values.get("select") == "first":
            del values["select"]
        return values

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.percent > 100:
            raise ValueError(
                f"unpaired images {self.unpaired_images:g}%, unpaired text {self.unpaired_text:g}% and "
                f"discarded {self.discard:g}% make {self.percent:g}% of the training pairs; "
                "give shares that add up to 100% at most"
            )
        if self.discard == 100:
            raise ValueError("discarding 100% of the training pairs leaves nothing to train on; discard less")
        if self.completed and not self.trained:
            raise ValueError("an untrained network sees no training rows; there is nothing to complete")
        if not self.trained and self.percent:
            raise ValueError("an untrained network sees no training pairs; give it no percentage")
        if self.select != "first" and not self.percent:
            raise ValueError(f"no pair is changed, so there are no {self.select} ones; give a percentage")
        if self.select != "first" and self.completed:
            raise ValueError(f"the {self.select} rows cannot be completed as well; leave one of the two out")
        return self

    @classmethod
    def of(cls, scheme: str, percent: float = 0) -> Self:
        """The cell of the paper's tables with this name.

        Args:
            scheme: "paired", "UI", "UT", "UIT", "SD" (UMML paper, Section 3) or "untrained"; "UI completed",
                "UT completed" and "UIT completed" where items of other rows stand in for missing ones; "UI
                hardest", "UI easiest" and so on where the hardest or easiest rows are changed first.
            percent: share of the training pairs that it changes; UIT's is the total of both halves.
        """
        if scheme.endswith(_COMPLETED):
            return cls.of(scheme.removesuffix(_COMPLETED), percent).model_copy(update={"completed": True})
        for select in get_args(Selected):
            if scheme.endswith(f" {select}"):
                base = cls.of(scheme.removesuffix(f" {select}"), percent)
                return cls.model_validate({**base.model_dump(), "select": select})
        changes_pairs = scheme not in {"paired", "untrained"}
        if changes_pairs != (percent > 0):
            raise ValueError(
                "UI, UT, UIT and SD take a percentage above 0, paired and untrained the percentage 0; "
                f"got {scheme} {percent:g}"
            )
        shares: dict[str, dict[str, float]] = {
            "paired": {},
            "UI": {"unpaired_images": percent},
            "UT": {"unpaired_text": percent},
            "UIT": {"unpaired_images": percent / 2, "unpaired_text": percent / 2},
            "SD": {"discard": percent},
        }
        if scheme in shares:
            return cls.model_validate(shares[scheme])
        if scheme == "untrained":
            return cls(trained=False)
        raise ValueError(f"there is no scheme {scheme!r}; use paired, UI, UT, UIT, SD or untrained")

    @property
    def percent(self) -> float:
        """Share of the training pairs that is changed, in percent."""
        return self.unpaired_images + self.unpaired_text + self.discard

    @property
    def scheme(self) -> Scheme:
        """The paper's name for it, and "completed" where it is."""
        if self.completed:
            return cast("Scheme", self._base_scheme + _COMPLETED)
        if self.select != "first":
            return cast("Scheme", f"{self._base_scheme} {self.select}")
        return self._base_scheme

    @property
    def _base_scheme(self) -> BaseScheme:
        match (self.unpaired_images > 0, self.unpaired_text > 0, self.discard > 0):
            case (False, False, False):
                return "paired" if self.trained else "untrained"
            case (True, False, False):
                return "UI"
            case (False, True, False):
                return "UT"
            case (False, False, True):
                return "SD"
            case (True, True, False) if self.unpaired_images == self.unpaired_text:
                return "UIT"
        return "mixed"

    @property
    def title(self) -> str:
        """The cell in a table: `UI 20%`."""
        parts = (("UI", self.unpaired_images), ("UT", self.unpaired_text), ("SD", self.discard))
        if self._base_scheme == "mixed":
            title = " + ".join(f"{name} {share:g}%" for name, share in parts if share)
        else:
            title = f"{self._base_scheme} {self.percent:g}%" if self.percent else self._base_scheme
        if self.select != "first":
            return f"{title}, {self.select} first"
        return f"{title}, completed" if self.completed else title

    @property
    def kept_share(self) -> float:
        """Share of the training samples that take part in training, 0..1."""
        return 1 - self.discard / 100 if self.trained else 0.0

    def plan(
        self, n_train: int, partial: Partial = "largest-remainder", scores: ArrayLike | None = None
    ) -> UnpairingPlan:
        """The plan that the paper's rule, or the order of the rows' losses, gives for training rows.

        Args:
            n_train: number of training rows.
            partial: of the paper's rule, what a last, partial block of a hundred rows gives.
            scores: `(n_train,)` losses, where the hardest or easiest rows are changed first; without them
                only the plan's counts tell something.
        """
        if self.select != "first":
            return plan_unpairing(
                n_train,
                unpaired_images=self.unpaired_images,
                unpaired_text=self.unpaired_text,
                discard=self.discard,
                block=None,
                select="ranked",
                scores=[0.0] * n_train if scores is None else scores,
                rank_from="highest" if self.select == "hardest" else "lowest",
                unpaired_text_at="start",
            )
        return plan_unpairing(
            n_train,
            unpaired_images=self.unpaired_images,
            unpaired_text=self.unpaired_text,
            discard=self.discard,
            partial=partial,
        )
