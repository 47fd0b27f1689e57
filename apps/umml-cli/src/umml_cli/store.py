"""Runs on disk: a folder for each, named by its specification, complete when `result.json` is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue

from umml_cli.files import read_json, write_json
from umml_cli.specification import RunSpecification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TASKS = ("i2t", "t2i")


class RunResult(BaseModel):
    """What `result.json` holds.

    Args:
        specification: what was run.
        map: mean average precision of each task: "i2t" image queries against texts, "t2i" the converse.
        definition: which of the field's mAP definitions this is.
        epochs: epochs trained.
        seconds: wall time of training, encoding and evaluation.
        training_pairs: training samples kept, and how many of them are still true pairs.
        plan_digest: digest of the unpairing plan.
        environment: versions, device and threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    specification: RunSpecification
    map: dict[str, float]
    definition: str
    epochs: int
    seconds: dict[str, float]
    training_pairs: dict[str, int]
    plan_digest: str
    environment: dict[str, JsonValue]


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def specification(self) -> Path:
        """`specification.json`, written first."""
        return self.path / "specification.json"

    @property
    def metrics(self) -> Path:
        """`metrics.jsonl`: one line of named losses per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """`checkpoint.safetensors`: the state to continue from; removed when the run is complete."""
        return self.path / "checkpoint.safetensors"

    @property
    def weights(self) -> Path:
        """`weights.safetensors`: the trained method."""
        return self.path / "weights.safetensors"

    @property
    def codes(self) -> Path:
        """`codes.npz`: packed codes of query and retrieval rows, with their labels."""
        return self.path / "codes.npz"

    @property
    def result(self) -> Path:
        """`result.json`, written last: a run that has it is complete."""
        return self.path / "result.json"

    def read_result(self) -> RunResult | None:
        """The result, or None while the run is not complete."""
        return RunResult.model_validate(read_json(self.result)) if self.result.exists() else None


@dataclass(frozen=True)
class RunStore:
    """All runs below one folder."""

    root: Path

    def folder(self, specification: RunSpecification) -> RunFolder:
        """Where a run lies, whether or not it exists yet."""
        return RunFolder(self.root / specification.run_id)

    def open(self, specification: RunSpecification) -> RunFolder:
        """Make the run's folder and write down its specification."""
        folder = self.folder(specification)
        if not folder.specification.exists():
            write_json(folder.specification, specification.model_dump(mode="json"))
        return folder

    def results(self, specifications: Iterable[RunSpecification]) -> Iterator[RunResult]:
        """Results of those runs that are complete, in the given order."""
        for specification in specifications:
            result = self.folder(specification).read_result()
            if result is not None:
                yield result
