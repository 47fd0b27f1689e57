"""The cells of the paper's tables: what happens to the training pairs before a method sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from cmh_unpair import UnpairingPlan, plan_unpairing
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from umml_cli.terms import Scheme

Partial = Literal["largest-remainder", "position"]
"""What a last, partial block of a hundred rows gives: its exact share, or the places of a full block."""


class Cell(BaseModel):
    """What is done to the training pairs; the paper's cells are made by `Cell.of`.

    Args:
        unpaired_images: percent of the training images that keep no text.
        unpaired_text: percent of the training texts that keep no image.
        discard: percent of the training pairs thrown away.
        trained: False for the untrained network, the paper's random baseline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unpaired_images: float = Field(default=0, ge=0, le=100)
    unpaired_text: float = Field(default=0, ge=0, le=100)
    discard: float = Field(default=0, ge=0, le=100)
    trained: bool = True

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.percent > 100:
            raise ValueError(
                f"unpaired images {self.unpaired_images:g} %, unpaired text {self.unpaired_text:g} % and "
                f"discarded {self.discard:g} % make {self.percent:g} % of the training pairs; "
                "give shares that add up to 100 % at most"
            )
        if self.discard == 100:
            raise ValueError(
                "discarding 100 % of the training pairs leaves nothing to train on; discard less"
            )
        if not self.trained and self.percent:
            raise ValueError("an untrained network sees no training pairs; give it no percentage")
        return self

    @classmethod
    def of(cls, scheme: str, percent: float = 0) -> Self:
        """The cell of the paper's tables with this name.

        Args:
            scheme: "paired", "UI", "UT", "UIT", "SD" (UMML paper, Section 3) or "untrained".
            percent: share of the training pairs that it changes; UIT's is the total of both halves.
        """
        changes_pairs = scheme not in {"paired", "untrained"}
        if changes_pairs != (percent > 0):
            raise ValueError(
                "UI, UT, UIT and SD take a percentage above 0, paired and untrained the percentage 0; "
                f"got {scheme} {percent:g}"
            )
        match scheme:
            case "paired":
                return cls()
            case "UI":
                return cls(unpaired_images=percent)
            case "UT":
                return cls(unpaired_text=percent)
            case "UIT":
                return cls(unpaired_images=percent / 2, unpaired_text=percent / 2)
            case "SD":
                return cls(discard=percent)
            case "untrained":
                return cls(trained=False)
        raise ValueError(f"there is no scheme {scheme!r}; use paired, UI, UT, UIT, SD or untrained")

    @property
    def percent(self) -> float:
        """Share of the training pairs that is changed, in percent."""
        return self.unpaired_images + self.unpaired_text + self.discard

    @property
    def scheme(self) -> Scheme:
        """The paper's name for it."""
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
        """The cell in a table: `UI 20 %`."""
        if self.scheme == "mixed":
            parts = (("UI", self.unpaired_images), ("UT", self.unpaired_text), ("SD", self.discard))
            return " + ".join(f"{name} {share:g} %" for name, share in parts if share)
        return f"{self.scheme} {self.percent:g} %" if self.percent else self.scheme

    @property
    def kept_share(self) -> float:
        """Share of the training samples that take part in training, 0..1."""
        return 1 - self.discard / 100 if self.trained else 0.0

    def plan(self, n_train: int, partial: Partial = "largest-remainder") -> UnpairingPlan:
        """The plan that the paper's rule gives for `n_train` training rows."""
        return plan_unpairing(
            n_train,
            unpaired_images=self.unpaired_images,
            unpaired_text=self.unpaired_text,
            discard=self.discard,
            partial=partial,
        )
