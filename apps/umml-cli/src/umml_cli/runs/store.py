"""Runs on disk: a folder for each, named by its specification, complete when `result.json` is there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmh_metrics import Definition
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from umml_cli.runs.files import read_json, write_json
from umml_cli.runs.specification import RunSpecification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class BestEpoch(BaseModel):
    """The evaluated epoch with the highest mean of both mAPs: chosen on the test queries, as the authors do.

    Args:
        epoch: counted from 1, 0 for an untrained network.
        map: mean average precision of each task then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    map: dict[str, float]


class RunResult(BaseModel):
    """What `result.json` holds.

    Args:
        specification: what was run.
        map: mean average precision of each task after the last epoch: "i2t" image queries against texts,
            "t2i" the converse.
        best: the best of the evaluated epochs.
        definition: which of the field's mAP definitions this is, as `cmh_metrics.Definition` prints it.
        epochs: epochs trained.
        seconds: wall time of training, encoding and evaluation.
        training_pairs: training rows, how many are "kept", how many of these still true pairs ("paired"), and
            "batch", the rows in a step, where fewer were kept than the option batch_size asks for.
        left_out: what the data set's gaps leave out of the evaluation, where it has any: queries without an
            image or a text, items ranked by the other side, retrieval rows with neither.
        plan_digest: digest of the unpairing plan.
        donors: where missing items are completed, for "image" and "text" the rows that miss one, those
            without a donor, those with donors of the very same labels, and the median number of donors.
        environment: versions, device and threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    specification: RunSpecification
    map: dict[str, float]
    best: BestEpoch
    definition: str
    epochs: int
    seconds: dict[str, float]
    training_pairs: dict[str, int]
    left_out: dict[str, int] = Field(default_factory=dict)
    plan_digest: str
    donors: dict[str, dict[str, float]] | None = None
    environment: dict[str, JsonValue]

    @property
    def measure(self) -> str:
        """The definition of mAP in words."""
        return Definition.parse(self.definition).description


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
        """`weights.safetensors`: the trained method; with `model.json` a model to encode with."""
        return self.path / "weights.safetensors"

    @property
    def model(self) -> Path:
        """`model.json`: what the weights belong to; `cmh_train.load_model` reads both."""
        return self.path / "model.json"

    @property
    def codes(self) -> Path:
        """`codes.npz`: packed codes of query and retrieval rows, with their labels."""
        return self.path / "codes.npz"

    @property
    def best_codes(self) -> Path:
        """`best-codes.npz`: the same after the best of the evaluated epochs, where that is not the last."""
        return self.path / "best-codes.npz"

    @property
    def precision(self) -> Path:
        """`precision.npz`: average precision of every query after the last and the best epoch, and labels."""
        return self.path / "precision.npz"

    @property
    def evaluations(self) -> Path:
        """`evaluations.json`: mAP of the epochs that were evaluated on the way."""
        return self.path / "evaluations.json"

    @property
    def failure(self) -> Path:
        """`failure.txt`: why the last attempt failed; removed by the next."""
        return self.path / "failure.txt"

    @property
    def result(self) -> Path:
        """`result.json`, written last: a run that has it is complete."""
        return self.path / "result.json"

    def read_specification(self) -> RunSpecification:
        """What the run is."""
        return RunSpecification.model_validate(read_json(self.specification))

    def read_result(self) -> RunResult | None:
        """The result, or None while the run is not complete."""
        return RunResult.model_validate(read_json(self.result)) if self.result.exists() else None

    def read_metrics(self) -> list[dict[str, float]]:
        """The lines of `metrics.jsonl` that are whole; that of a killed run may end within one."""
        lines = self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.exists() else []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found


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

    def folders(self) -> Iterator[RunFolder]:
        """Every run that was ever started, complete or not, in the order of their names."""
        for path in sorted(self.root.glob("*/specification.json")):
            yield RunFolder(path.parent)

    def results(self, specifications: Iterable[RunSpecification]) -> Iterator[RunResult]:
        """Results of those runs that are complete, in the given order."""
        for specification in specifications:
            result = self.folder(specification).read_result()
            if result is not None:
                yield result


RUNS = "runs"
