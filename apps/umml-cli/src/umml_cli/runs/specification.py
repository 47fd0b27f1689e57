"""The full specification of a run, whose digest names the run's folder."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from umml_cli.errors import UserError
from umml_cli.names import Name
from umml_cli.runs.cells import Cell, Partial
from umml_cli.terms import Completion, Device, Precision, method_label, method_remark, split_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cmh_data import Split
    from cmh_train import MethodConfig
    from cmh_unpair import UnpairingPlan
    from numpy.typing import ArrayLike


class RunSpecification(BaseModel):
    """Everything that decides a run's numbers.

    Args:
        dataset: the data set's name.
        data_digest: its content digest, so that a changed file is another run.
        method: the method's name.
        method_version: version of the package that provides it.
        bits: code length.
        epochs: passes over the training set.
        batch_size: training rows in a step; 0: all of them.
        options: every other option of the method, defaults included.
        cell: what is done to the training pairs.
        partial: what a last, partial block of a hundred rows gives to the cell, as in cmh-unpair.
        completion: which items of other rows stand in for missing ones in training.
        neighbours: how many pairs may stand in for a missing item by neighbour; None: `find_donors`' five.
        crops: "random": training sees features of random crops of the images; None: those of the data set.
        seed: seed of initial weights, batch order and everything drawn in training.
        precision: floating-point type of training.
        device: device type; results are equal to the bit on one type only.
        evaluate_every: epochs between two evaluations on the queries, from which the best epoch is known;
            0: after the last epoch only. The last epoch is the result in any case.
        validation: percentage of the training rows that are held out and take the place of the query rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Name
    data_digest: str
    method: Name
    method_version: str
    bits: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=0)
    options: dict[str, JsonValue]
    cell: Cell
    partial: Partial = "largest-remainder"
    completion: Completion = "none"
    neighbours: int | None = Field(default=None, ge=1)
    crops: Literal["random"] | None = None
    seed: int = Field(ge=0, lt=2**31)
    precision: Precision = "float32"
    device: Device = "cpu"
    evaluate_every: int = Field(default=0, ge=0)
    validation: float = Field(default=0, ge=0, lt=100)

    @model_validator(mode="after")
    def _completion_fits(self) -> Self:
        if self.cell.completed != (self.completion != "none"):
            raise ValueError(f"the cell {self.cell.title} does not go with completion {self.completion!r}")
        if self.neighbours is not None and self.completion != "neighbour":
            raise ValueError(
                f"neighbours must be None for completion {self.completion!r}, but it is {self.neighbours}"
            )
        return self

    @property
    def run_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical JSON of this specification."""
        return self._digest(exclude=set())

    @property
    def setting_id(self) -> str:
        """The same of everything but cell and seed: runs that share it belong to one series."""
        return self._digest(exclude={"cell", "completion", "seed"})

    def _digest(self, *, exclude: set[str]) -> str:
        """The digest of all but some fields; one that is None says nothing and is left out."""
        values = self.model_dump(mode="json", exclude=exclude)
        values = {name: value for name, value in values.items() if value is not None}
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The method, and which database it ranks where that is an option of it: `amsh-learned`."""
        return method_label(self.method, self.options)

    @property
    def database(self) -> str:
        """Which database is ranked, "encoded" or "learned"; "" where that is no option of the method."""
        return split_label(self.label)[1] if self.label != self.method else ""

    @property
    def title(self) -> str:
        """The run in one line of progress."""
        method = self.method + method_remark(self.label)
        return f"{method} · {self.dataset}{self.rows_remark} · {self.cell.title} · seed {self.seed}"

    @property
    def rows_remark(self) -> str:
        """Which rows are the queries, where it is not the query set."""
        return f", {self.validation:g}% of the training rows as queries" if self.validation else ""

    @classmethod
    def of(cls, method: str, config: MethodConfig, **others: Any) -> Self:
        """Return the specification of a run with these options of its method.

        Args:
            method: the method's name.
            config: its options.
            others: the other fields.
        """
        return cls.model_validate({"method": method, **others, **_split_options(config)})

    @property
    def training_epochs(self) -> int:
        """Epochs of training that this run takes: none for an untrained network."""
        return self.epochs if self.cell.trained else 0

    @property
    def work(self) -> float:
        """Expected cost, in epochs over the whole training set."""
        return self.training_epochs * self.cell.kept_share

    def check_batch(self, n_rows: int) -> None:
        """Refuse a batch larger than the data set's training rows; what discarding leaves may be less.

        Raises:
            UserError: with the largest batch that is possible.
        """
        if self.cell.trained and self.batch_size > n_rows:
            raise UserError(
                f"batch_size of {self.method} is {self.batch_size}, but {self.dataset} has only {n_rows} "
                f"training rows; make it smaller, for example --set batch_size={n_rows}."
            )

    def check_database(self, split: Split) -> None:
        """Refuse to rank learned codes of items that were not there to be learned from.

        Raises:
            UserError: the retrieval set has rows outside the training set.
        """
        outside = len(set(split.retrieval) - set(split.train))
        if self.database == "learned" and outside:
            raise UserError(
                f"database=learned ranks the training items by codes that {self.method} learned from their "
                f"labels, but {outside} of the {len(split.retrieval)} rows of the retrieval set of "
                f"{self.dataset} are not training rows; take database=encoded, or a split whose retrieval "
                "set is the training set."
            )

    def step_rows(self, n_kept: int) -> int:
        """Rows in a step: as the options say, or all that discarding left where that is less."""
        return min(self.batch_size or n_kept, n_kept)

    def plan(self, n_train: int, scores: ArrayLike | None = None) -> UnpairingPlan:
        """What is done to which of the training rows; ranked ones need their `(n_train,)` scores."""
        return self.cell.plan(n_train, self.partial, scores)

    def config(self) -> MethodConfig:
        """The method's own options."""
        from cmh_train import make_config  # noqa: PLC0415 - brings torch

        own = {"bits": self.bits, "epochs": self.epochs, "batch_size": self.batch_size}
        return make_config(self.method, options={**self.options, **own})


def _split_options(config: MethodConfig) -> dict[str, Any]:
    """The options that every method has, and under `options` those that only this one has."""
    options = config.model_dump(mode="json")
    return {**{name: options.pop(name) for name in ("bits", "epochs", "batch_size")}, "options": options}


def small_batches(specifications: Iterable[RunSpecification], rows: Mapping[str, int]) -> list[str]:
    """A sentence for each method and cell whose steps take fewer rows than its options say.

    Args:
        specifications: the runs.
        rows: data set to its number of training rows.
    """
    said = {}
    for spec in specifications:
        if not spec.cell.trained or spec.dataset not in rows or not spec.cell.discard:
            continue
        kept = int(spec.plan(rows[spec.dataset]).kept.sum())
        if kept < spec.batch_size:
            said[spec.method, spec.dataset, spec.cell] = (
                f"{spec.method} on {spec.dataset}, {spec.cell.title}: discarding leaves {kept} training "
                f"rows, fewer than a batch of {spec.batch_size}; a step takes all of them."
            )
    return list(said.values())
