"""One run, from its specification to its result: unpair, train, encode, evaluate, write."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch
from cmh_metrics import mean_average_precision, pack_codes
from cmh_train import Checkpoint, TrainingData, build_method, encode_dataset, fit, image_statistics
from safetensors.torch import save_file

from umml_cli.codes import RunCodes
from umml_cli.errors import UserError
from umml_cli.events import EpochEnded, RunEvent, RunFinished, RunStarted
from umml_cli.files import replacing, write_json, write_text
from umml_cli.specification import MAP_DEFINITION
from umml_cli.store import TASKS, RunFolder, RunResult, RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_data import PairedDataset
    from cmh_train import EpochRecord, HashingMethod
    from pydantic import JsonValue

    from umml_cli.specification import RunSpecification

PACKAGES = ("umml-cli", "cmh-data", "cmh-metrics", "cmh-train", "cmh-unpair", "torch", "numpy")


def perform(
    specification: RunSpecification,
    dataset: PairedDataset,
    *,
    store: RunStore,
    on_event: Callable[[RunEvent], None],
    checkpoint_minutes: float = 0.25,
) -> RunResult:
    """Carry a run through, from its checkpoint where there is one, and write its folder.

    Args:
        specification: what to run.
        dataset: the data set that it names.
        store: where its folder lies.
        on_event: told of every step.
        checkpoint_minutes: least time between two checkpoints.

    Raises:
        UserError: the data set is not the one that was specified.
        ValueError: the method does not fit the data, or training diverged.
    """
    if dataset.digest != specification.data_digest:
        raise UserError(
            f"Data set {specification.dataset} has changed since this was planned (digest "
            f"{dataset.digest[:12]}, planned {specification.data_digest[:12]}); start the command again."
        )
    folder = store.open(specification)
    on_event(RunStarted(specification.run_id, first_epoch=0))
    plan = specification.cell.plan(len(dataset.split.train))
    data = _training_data(specification, dataset)
    method = build_method(specification.method, specification.config(), data.spec, specification.seed)

    epochs: tuple[EpochRecord, ...] = ()
    started = time.monotonic()
    if specification.cell.trained:
        epochs = fit(
            method,
            data,
            epochs=specification.epochs,
            batch_size=min(int(str(specification.options["batch_size"])), data.spec.n_train),
            device=specification.device,
            precision=specification.precision,
            seed=specification.seed,
            on_epoch_end=_EpochLog(specification.run_id, folder, on_event),
            checkpoint=Checkpoint(path=folder.checkpoint, every_minutes=checkpoint_minutes),
        ).epochs
        write_text(folder.metrics, "".join(map(_metrics_line, epochs)))
    trained = time.monotonic()
    codes = encode_split(method, dataset)
    encoded = time.monotonic()
    scores = score_codes(codes)
    evaluated = time.monotonic()

    with replacing(folder.weights) as temporary:
        state = {
            name: value.detach().cpu().contiguous().clone() for name, value in method.state_dict().items()
        }
        save_file(state, temporary, metadata={"specification": specification.model_dump_json()})
    codes.save(folder.codes)
    result = RunResult(
        specification=specification,
        map=scores,
        definition=MAP_DEFINITION,
        epochs=len(epochs),
        seconds={
            "training": trained - started,
            "encoding": encoded - trained,
            "evaluation": evaluated - encoded,
        },
        training_pairs={
            "rows": len(plan.kept),
            "kept": int(plan.kept.sum()),
            "paired": int((plan.kept & plan.image_present & plan.text_present).sum()),
        },
        plan_digest=plan.digest,
        environment=describe_environment(specification),
    )
    write_json(folder.result, result.model_dump(mode="json"))
    folder.checkpoint.unlink(missing_ok=True)
    on_event(RunFinished(specification.run_id))
    return result


def _training_data(specification: RunSpecification, dataset: PairedDataset) -> TrainingData:
    """Unpair the training rows as the cell says; scaling statistics come from the full, whole matrix."""
    rows = dataset.split.train
    mean, std = image_statistics(np.asarray(dataset.image[:]))
    unpaired = specification.cell.plan(len(rows)).apply(
        np.asarray(dataset.image[rows]), np.asarray(dataset.text[rows]), np.asarray(dataset.label[rows])
    )
    return TrainingData.from_arrays(
        image=unpaired.images,
        text=unpaired.texts,
        label=unpaired.labels,
        image_present=unpaired.image_present,
        text_present=unpaired.text_present,
        image_mean=mean,
        image_std=std,
    )


def encode_split(method: HashingMethod, dataset: PairedDataset) -> RunCodes:
    """Codes of the query and retrieval rows in both modalities."""
    query, retrieval = dataset.split.query, dataset.split.retrieval
    return RunCodes(
        query_image=pack_codes(encode_dataset(method, "image", dataset.image[query])),
        query_text=pack_codes(encode_dataset(method, "text", dataset.text[query])),
        retrieval_image=pack_codes(encode_dataset(method, "image", dataset.image[retrieval])),
        retrieval_text=pack_codes(encode_dataset(method, "text", dataset.text[retrieval])),
        query_rows=query,
        retrieval_rows=retrieval,
        query_labels=dataset.label[query],
        retrieval_labels=dataset.label[retrieval],
    )


def score_codes(codes: RunCodes) -> dict[str, float]:
    """Mean average precision of both tasks, by `MAP_DEFINITION`."""
    scores = {}
    for task in TASKS:
        query_codes, database_codes = codes.task_codes(task)
        scores[task] = mean_average_precision(
            query_codes=query_codes,
            database_codes=database_codes,
            query_labels=codes.query_labels,
            database_labels=codes.retrieval_labels,
        )
    return scores


def describe_environment(specification: RunSpecification) -> dict[str, JsonValue]:
    """Versions, machine and threads that a result came from."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if specification.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


class _EpochLog:
    """Appends each epoch to `metrics.jsonl`, without the lines of epochs that are trained once more."""

    def __init__(self, run_id: str, folder: RunFolder, on_event: Callable[[RunEvent], None]) -> None:
        self._run_id = run_id
        self._path = folder.metrics
        self._on_event = on_event
        self._first = True

    def __call__(self, record: EpochRecord) -> None:
        if self._first:
            self._first = False
            lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
            write_text(self._path, "".join(lines[: record.epoch]))
            if record.epoch:
                self._on_event(RunStarted(self._run_id, first_epoch=record.epoch))
        with self._path.open("a") as file:
            file.write(_metrics_line(record))
        self._on_event(EpochEnded(self._run_id, record.epoch + 1))


def _metrics_line(record: EpochRecord) -> str:
    return json.dumps({"epoch": record.epoch, "seconds": round(record.seconds, 4), **record.losses}) + "\n"
