"""Runs on disk: a folder for each, named by its specification, complete when `result.json` is there."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cmh_metrics import Definition
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, RootModel

from umml_cli.runs.files import damaged, read_model, write_json
from umml_cli.runs.specification import RunSpecification
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


MOST_EPOCHS = 10**9
LARGEST = sys.float_info.max


def _both_tasks(maps: dict[str, float]) -> dict[str, float]:
    if set(maps) != set(TASKS):
        raise ValueError(f"there must be an mAP of {' and '.join(TASKS)}, but there are {', '.join(maps)}")
    return maps


Maps = Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], AfterValidator(_both_tasks)]
"""Task to mAP."""


class BestEpoch(BaseModel):
    """The evaluated epoch with the highest mean of both mAPs: chosen on the test queries, as the authors do.

    Args:
        epoch: counted from 1, 0 for an untrained network.
        map: mean average precision of each task then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    map: Maps


class PrecisionTrial(BaseModel):
    """How `--precision auto` chose, for all runs of one method, options and data.

    Args:
        precision: what they are trained in.
        seconds: "float32" and "bf16" to the median time of a step, on a CPU processor time; empty where
            nothing was tried.
        reason: why, as a clause.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["float32", "bf16"]
    seconds: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    reason: str


OWN_ITEMS = "there are no labels: of all query rows, a query's own item is the only relevant one"


class RunResult(BaseModel):
    """What `result.json` holds.

    Args:
        specification: what was run.
        map: mean average precision of each task after the last epoch: "i2t" image queries against texts,
            "t2i" the converse.
        best: the best of the evaluated epochs.
        definition: which of the field's mAP definitions this is, as `cmh_metrics.Definition` prints it.
        own_items: without labels, "recall@1", "recall@5", "recall@10" and "median rank" of each task, where a
            query's own item is the only relevant one, and how many "items" are ranked: those of the complete
            query rows. The mAP is then of this, too. None where there are labels.
        epochs: epochs trained.
        seconds: wall time of preparation (training rows as the cell leaves them, the network as it is built),
            training, encoding and evaluation.
        training_pairs: training rows, how many are "kept", how many of these still true pairs ("paired"), and
            "batch", the rows in a step, where fewer were kept than the option batch_size asks for.
        database: where learned codes are ranked, for "image" and "text" how many ranked items have "learned"
            codes, and how many an "encoded" one because the method was not trained on them.
        left_out: what the data set's gaps leave out of the evaluation, where it has any: queries without an
            image or a text, items ranked by the other side, retrieval rows with neither.
        published_data: short name of the published data set that the data are, None where they are none:
            simulated, cut, or with other labels. Published numbers stand beside these only.
        one_space: whether images and texts have codes in one space, so that an item's two can be compared.
        plan_digest: digest of the unpairing plan.
        donors: where missing items are completed, for "image" and "text" the rows that miss one, those
            without a donor, those with donors of the very same labels, and the median number of donors.
        environment: versions, device and threads.
        method_title: short name that the method's package gives it, for tables and figures.
        precision_trial: how the precision was chosen; None where the run names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    specification: RunSpecification
    map: Maps
    best: BestEpoch
    definition: str
    own_items: dict[str, dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]] | None = None
    epochs: int
    seconds: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    training_pairs: dict[str, int]
    database: dict[str, dict[str, int]] | None = None
    left_out: dict[str, int] = Field(default_factory=dict)
    published_data: str | None = None
    one_space: bool = True
    plan_digest: str
    donors: dict[str, dict[str, float]] | None = None
    environment: dict[str, JsonValue]
    method_title: str | None = None
    precision_trial: PrecisionTrial | None = None

    @property
    def measure(self) -> str:
        """The definition of mAP in words."""
        described = Definition.parse(self.definition).description
        return described if self.own_items is None else f"{described}; {OWN_ITEMS}"


class Evaluations(RootModel[dict[int, Maps]]):
    """What `evaluations.json` holds: epoch, counted from 1, to mAP by task."""


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
        found = read_model(self.specification, RunSpecification)
        self._check(found, self.specification)
        return found

    def _check(self, specification: RunSpecification, file: Path) -> None:
        """Refuse what belongs to another run: the folder's name is the digest of its specification."""
        if self.path.absolute().name != specification.run_id:
            raise damaged(file, f"what it says belongs in a folder {specification.run_id}")

    def read_result(self) -> RunResult | None:
        """The result, or None while the run is not complete."""
        if not self.result.exists():
            return None
        found = read_model(self.result, RunResult)
        self._check(found.specification, self.result)
        return found

    def read_metrics(self) -> list[dict[str, float]]:
        """The lines of `metrics.jsonl` that are whole; that of a killed run may end within one.

        Raises:
            UserError: another line is no mapping of names to finite numbers with an epoch and its seconds.
        """
        content = self.metrics.read_bytes() if self.metrics.exists() else b""
        lines = content.split(b"\n")
        found = []
        for number, line in enumerate(lines[:-1], start=1):
            values = _metrics_of(line)
            if values is None:
                raise damaged(self.metrics, f"line {number} holds no losses")
            found.append(values)
        rest = _metrics_of(lines[-1])
        return found if rest is None else [*found, rest]


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


def _metrics_of(line: bytes) -> dict[str, float] | None:
    """Name to number of a line of `metrics.jsonl`, None where it is none."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not {"epoch", "seconds"} <= values.keys():
        return None
    finite = all(
        isinstance(one, int | float) and not isinstance(one, bool) and -LARGEST < one < LARGEST
        for one in values.values()
    )
    whole = finite and isinstance(values["epoch"], int) and 0 <= values["epoch"] < MOST_EPOCHS
    return values if whole and values["seconds"] >= 0 else None


RUNS = "runs"
