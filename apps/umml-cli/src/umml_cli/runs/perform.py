"""One run, from its specification to its result: unpair, train, encode, evaluate, write."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from cmh_data import published_name
from cmh_files import remove_leftovers
from cmh_metrics import Definition, PackedCodes, average_precision, pack_codes
from cmh_train import (
    Checkpoint,
    ModelDescription,
    build_method,
    encode_rows,
    find_method,
    fit,
    method_package,
    prepare_untrained,
)
from safetensors.torch import save

from umml_cli.errors import UserError
from umml_cli.runs.events import EpochEnded, RunEvent, RunFinished, RunStarted
from umml_cli.runs.files import read_model, replacing, run_lock, write_json, write_text
from umml_cli.runs.own_items import describe_own_items, own_items_known, score_own_items
from umml_cli.runs.precision import trial_of
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.ranking import scores_of_run
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import BestEpoch, Evaluations, RunFolder, RunResult, RunStore
from umml_cli.runs.training_data import training_data
from umml_cli.runs.validation import rows_of_run
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_data import PairedDataset
    from cmh_train import EpochRecord, HashingMethod, ImageViews, Modality, Role, TrainingData
    from numpy.typing import NDArray
    from pydantic import JsonValue

    from umml_cli.runs.specification import RunSpecification

    ViewsOf = Callable[[NDArray[np.int64]], ImageViews]

DEFINITION = Definition()
_MODALITIES: tuple[Modality, ...] = ("image", "text")
PACKAGES = ("umml-cli", "cmh-data", "cmh-metrics", "cmh-train", "cmh-unpair", "torch", "numpy")


def perform(
    specification: RunSpecification,
    dataset: PairedDataset,
    *,
    store: RunStore,
    on_event: Callable[[RunEvent], None],
    checkpoint_minutes: float = 0.25,
    keep_weights: bool = True,
    views_of: ViewsOf | None = None,
) -> RunResult:
    """Carry a run through, from its checkpoint where there is one, and write its folder.

    Args:
        specification: what to run.
        dataset: the data set that it names.
        store: where its folder lies.
        on_event: told of every step.
        checkpoint_minutes: minimum time between two checkpoints.
        keep_weights: write the trained weights, which can be large.
        views_of: makes the views of some rows of the data set, where the run trains on random crops.

    Raises:
        UserError: the data set is not the one that was specified, has fewer training rows than a batch, or
            ranks rows whose codes cannot have been learned.
        ValueError: the method does not fit the data, or training diverged.
    """
    if dataset.digest != specification.data_digest:
        raise UserError(
            f"Data set {specification.dataset} has changed since this was planned (digest "
            f"{dataset.digest[:12]}, planned {specification.data_digest[:12]}); start the command again."
        )
    dataset = rows_of_run(dataset, specification.validation)
    specification.check_batch(len(dataset.split.train))
    specification.check_database(dataset.split)
    with run_lock(store.folder(specification).path):
        result = store.folder(specification).read_result()
        if result is None:
            folder = store.open(specification)
            on_event(RunStarted(specification.run_id, first_epoch=0))
            run = _Run(specification, dataset, folder, on_event, views_of)
            result = run.execute(checkpoint_minutes=checkpoint_minutes, keep_weights=keep_weights)
        on_event(RunFinished(specification.run_id))
        return result


class _Run:
    """One run under way: its method, and what was measured so far."""

    def __init__(
        self,
        specification: RunSpecification,
        dataset: PairedDataset,
        folder: RunFolder,
        on_event: Callable[[RunEvent], None],
        views_of: ViewsOf | None,
    ) -> None:
        self._started = time.monotonic()
        self._spec = specification
        self._dataset = dataset
        self._folder = folder
        self._on_event = on_event
        rows = dataset.split.train
        scores = None
        if specification.cell.select != "first":
            scores = scores_of_run(specification, dataset, RunStore(folder.path.parent))
        self._plan = specification.plan(len(rows), scores).with_missing(
            image_present=dataset.image_present[rows], text_present=dataset.text_present[rows]
        )
        _check_queries(dataset)
        self._data, self._donors = training_data(self._plan, dataset, specification)
        self._views = None
        if specification.crops:
            assert views_of is not None
            self._views = views_of(rows[self._plan.kept])
        self._method = build_method(
            specification.method, specification.config(), self._data.spec, specification.seed
        )
        self._evaluations: dict[int, dict[str, float]] = {}  # epoch, counted from 1, to mAP by task
        self._seconds = {"preparation": 0.0, "training": 0.0, "encoding": 0.0, "evaluation": 0.0}
        self._resumed = False
        self._database: dict[str, dict[str, int]] | None = None

    def execute(self, *, checkpoint_minutes: float, keep_weights: bool) -> RunResult:
        spec, folder = self._spec, self._folder
        folder.failure.unlink(missing_ok=True)
        remove_leftovers(folder.path)
        if folder.evaluations.exists():
            self._evaluations = read_model(folder.evaluations, Evaluations).root
        self._seconds["preparation"] = time.monotonic() - self._started
        epochs: tuple[EpochRecord, ...] = ()
        if spec.cell.trained:
            epochs = fit(
                self._method,
                self._data,
                epochs=spec.training_epochs,
                batch_size=spec.step_rows(self._data.spec.n_train),
                device=spec.device,
                precision=spec.precision,
                seed=spec.seed,
                on_epoch_end=self._end_epoch,
                checkpoint=Checkpoint(path=folder.checkpoint, every_minutes=checkpoint_minutes),
                partners=self._donors,
                image_views=self._views,
            ).epochs
            self._seconds["training"] = sum(record.seconds for record in epochs)
        else:  # the scaling of images is no training
            prepare_untrained(self._method, self._data, seed=spec.seed)
        last_codes, last = self._evaluate()
        self._evaluations[len(epochs)] = _means(last)
        best = max(self._evaluations, key=self._merit)
        best_precision = last if best == len(epochs) else score_codes(RunCodes.load(folder.best_codes))

        if keep_weights:
            self._save_weights()
        last_codes.save(folder.codes)
        RunPrecision.of(last, best_precision, last_codes.query_labels).save(folder.precision)
        write_text(folder.metrics, "".join(self._metrics_line(record) for record in epochs))
        plan = self._plan
        result = RunResult(
            specification=spec,
            map=_means(last),
            best=BestEpoch(epoch=best, map=self._evaluations[best]),
            definition=str(DEFINITION),
            own_items=None if self._dataset.label.shape[1] else describe_own_items(last_codes),
            epochs=len(epochs),
            seconds=self._seconds,
            training_pairs={
                "rows": len(plan.kept),
                "kept": int(plan.kept.sum()),
                "paired": int((plan.kept & plan.image_present & plan.text_present).sum()),
                **self._smaller_batch(),
            },
            database=self._database,
            left_out=_left_out(dataset=self._dataset, codes=last_codes),
            published_data=published_name(self._dataset),
            one_space=self._method.one_space,
            plan_digest=plan.digest,
            donors=None
            if self._donors is None
            else {
                side: {name: value for name, value in asdict(counts).items() if value is not None}
                for side, counts in self._donors.report().items()
            },
            environment=describe_environment(spec.device),
            method_title=find_method(spec.method).title.partition(":")[0].strip() or None,
            precision_trial=trial_of(spec, RunStore(folder.path.parent)),
        )
        write_json(folder.result, result.model_dump(mode="json"))
        folder.checkpoint.unlink(missing_ok=True)
        folder.evaluations.unlink(missing_ok=True)
        if best == len(epochs):
            folder.best_codes.unlink(missing_ok=True)
        return result

    def _smaller_batch(self) -> dict[str, int]:
        """The rows in a step, where discarding left fewer than the options ask for."""
        wanted, used = self._spec.batch_size, self._spec.step_rows(self._data.spec.n_train)
        return {} if wanted in {0, used} or not self._spec.cell.trained else {"batch": used}

    def _end_epoch(self, record: EpochRecord) -> None:
        """Evaluate where it is due, and append the epoch to `metrics.jsonl`; epochs may come once more."""
        epoch = record.epoch + 1
        if not self._resumed:
            self._resumed = True
            self._evaluations = {e: maps for e, maps in self._evaluations.items() if e < epoch}
            lines = (
                self._folder.metrics.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
                if self._folder.metrics.exists()
                else []
            )
            write_text(self._folder.metrics, "".join(lines[: record.epoch]))
            if record.epoch:
                self._on_event(RunStarted(self._spec.run_id, first_epoch=record.epoch))
        every = self._spec.evaluate_every
        if every and epoch % every == 0 and epoch < self._spec.training_epochs:
            codes, precision = self._evaluate()
            self._evaluations[epoch] = _means(precision)
            if max(self._evaluations, key=self._merit) == epoch:
                codes.save(self._folder.best_codes)
            write_json(self._folder.evaluations, self._evaluations)
        with self._folder.metrics.open("a") as file:
            file.write(self._metrics_line(record))
        self._on_event(EpochEnded(self._spec.run_id, epoch))

    def _evaluate(self) -> tuple[RunCodes, dict[str, NDArray[np.float64]]]:
        started = time.monotonic()
        codes = self._encode()
        encoded = time.monotonic()
        precision = score_codes(codes)
        self._seconds["encoding"] += encoded - started
        self._seconds["evaluation"] += time.monotonic() - encoded
        return codes, precision

    def _encode(self) -> RunCodes:
        codes = encode_split(self._method, self._dataset)
        self._database = None
        if self._spec.database == "learned" and self._spec.cell.trained:
            trained_rows = self._dataset.split.train[self._plan.kept]
            codes, self._database = rank_learned_codes(codes, self._method, self._data, trained_rows)
        return codes

    def _merit(self, epoch: int) -> tuple[float, int]:
        """The mean of both mAPs; of equal ones the earlier epoch is the better."""
        return sum(self._evaluations[epoch].values()), -epoch

    def _metrics_line(self, record: EpochRecord) -> str:
        maps = {f"map_{task}": value for task, value in self._evaluations.get(record.epoch + 1, {}).items()}
        line = {"epoch": record.epoch, "seconds": round(record.seconds, 4), **record.losses, **maps}
        return json.dumps(line) + "\n"

    def _save_weights(self) -> None:
        state = {
            name: value.detach().cpu().contiguous().clone()
            for name, value in self._method.state_dict().items()
        }
        write_text(self._folder.model, self._describe_model().to_json())
        content = save(state, metadata={"specification": self._spec.model_dump_json()})
        with replacing(self._folder.weights) as temporary:
            temporary.write_bytes(content)  # where safetensors writes itself, a full disk is no OSError

    def _describe_model(self) -> ModelDescription:
        dataset, spec = self._dataset, self._spec
        versions = {name: version(name) for name in PACKAGES}
        offered_by = method_package(spec.method)
        return ModelDescription(
            method=spec.method,
            options=spec.config().model_dump(mode="json"),
            data_spec=self._data.spec,
            encoders=_encoders(dataset),
            label_names=dataset.label_names,
            data_digest=spec.data_digest,
            versions=versions | dict([offered_by] if offered_by else []),
            remarks={"dataset": spec.dataset, "run": spec.run_id},
        )


def _encoders(dataset: PairedDataset) -> dict[str, dict[str, Any]]:
    """What makes features of new items: the encoders of the data set, its own vocabulary for texts."""
    encoders = dict(dataset.provenance.get("encoders", {}))
    if dataset.text_vocabulary and "text" not in encoders:
        encoders["text"] = {"name": "bag-of-words", "fitted": {"words": list(dataset.text_vocabulary)}}
    return encoders


def _check_queries(dataset: PairedDataset) -> None:
    """Refuse data whose gaps leave a task without a query, or the training without a row.

    Raises:
        UserError: naming what is missing.
    """
    rows = dataset.split.query
    if not dataset.label.shape[1] and not (dataset.image_present & dataset.text_present)[rows].any():
        raise UserError(
            f"No query row of {dataset.name} has both an image and a text, and there are no labels, so "
            "nothing tells which item is the right one; give labels, or some query rows with both."
        )
    for side, present in (("image", dataset.image_present), ("text", dataset.text_present)):
        if not present[rows].any():
            raise UserError(
                f"No query row of {dataset.name} has {'an' if side == 'image' else 'a'} {side}, so {side} "
                "queries cannot be measured; put rows that have one into the query set."
            )
    if not (dataset.image_present | dataset.text_present)[dataset.split.train].any():
        raise UserError(
            f"No training row of {dataset.name} has an image or a text; give other training rows."
        )


def _left_out(dataset: PairedDataset, codes: RunCodes) -> dict[str, int]:
    """What gaps leave out of the evaluation, by name; nothing where there are none."""
    if not dataset.label.shape[1]:
        count = int((~own_items_known(codes)).sum())
        return {"queries without an item of their own": count} if count else {}
    counts = {
        "queries without an image": int((~codes.query_image_present).sum()),
        "queries without a text": int((~codes.query_text_present).sum()),
        "items ranked by their text alone": int((~codes.retrieval_image_present).sum()),
        "items ranked by their image alone": int((~codes.retrieval_text_present).sum()),
        "retrieval rows with neither": len(dataset.split.retrieval) - len(codes.retrieval_rows),
    }
    return {name: count for name, count in counts.items() if count}


def encode_split(method: HashingMethod, dataset: PairedDataset) -> RunCodes:
    """Codes of the query and retrieval rows in both modalities; an item is ranked by the side it has."""
    image_present, text_present = dataset.image_present, dataset.text_present
    query, retrieval = dataset.split.query, dataset.split.retrieval
    retrieval = retrieval[(image_present | text_present)[retrieval]]
    images = _codes(method, dataset, "image", retrieval, "database")
    texts = _codes(method, dataset, "text", retrieval, "database")
    # In the place of a missing side stands the other's code in that side's space, which is that of a query.
    images_as_texts, texts_as_images = images, texts
    if not method.one_space:
        images_as_texts = _codes(method, dataset, "image", retrieval, "query")
        texts_as_images = _codes(method, dataset, "text", retrieval, "query")
    return RunCodes(
        query_image=_codes(method, dataset, "image", query, "query"),
        query_text=_codes(method, dataset, "text", query, "query"),
        retrieval_image=_where(image_present[retrieval], images, texts_as_images),
        retrieval_text=_where(text_present[retrieval], texts, images_as_texts),
        query_rows=query,
        retrieval_rows=retrieval,
        query_image_present=image_present[query],
        query_text_present=text_present[query],
        retrieval_image_present=image_present[retrieval],
        retrieval_text_present=text_present[retrieval],
        query_labels=dataset.label[query],
        retrieval_labels=dataset.label[retrieval],
    )


def rank_learned_codes(
    codes: RunCodes, method: HashingMethod, data: TrainingData, trained_rows: NDArray[np.int64]
) -> tuple[RunCodes, dict[str, dict[str, int]]]:
    """Put learned codes in the place of encoded ones, for the ranked items that the method was trained on.

    Args:
        codes: with an encoded database.
        method: has learned codes.
        data: what it was trained on.
        trained_rows: `(n_train,)` int64, rows of the data set that these are.

    Returns:
        The codes, and for "image" and "text" how many of the ranked items have "learned" codes, and how many
        an "encoded" one because the method has not seen them.
    """
    positions = {row: position for position, row in enumerate(trained_rows.tolist())}
    place = np.array([positions.get(row, -1) for row in codes.retrieval_rows.tolist()])
    changed: dict[str, Any] = {}
    counts: dict[str, dict[str, int]] = {}
    for modality in _MODALITIES:
        there = getattr(codes, f"retrieval_{modality}_present")
        known = there & (place >= 0) & getattr(data, f"{modality}_present")[place]
        learned = method.learned_codes(modality)
        assert learned is not None
        encoded = getattr(codes, f"retrieval_{modality}")
        packed = pack_codes(learned.float().cpu().numpy()[place], code_values="signed")
        changed[f"retrieval_{modality}"] = _where(~known, encoded, packed)
        counts[modality] = {"learned": int(known.sum()), "encoded": int((~known).sum())}
    return replace(codes, **changed), counts


def _where(present: NDArray[np.bool_], codes: PackedCodes, others: PackedCodes) -> PackedCodes:
    """Codes of what is there, and those of the other side elsewhere."""
    if present.all():
        return codes
    return PackedCodes(np.where(present[:, None], codes.words, others.words), codes.bits)


def _codes(
    method: HashingMethod, dataset: PairedDataset, modality: Modality, rows: NDArray[np.int64], role: Role
) -> PackedCodes:
    features, present = getattr(dataset, modality), getattr(dataset, f"{modality}_present")
    outputs = encode_rows(method, modality, features, rows, role=role, present=present)
    return pack_codes(outputs, code_values="signed")


def score_codes(codes: RunCodes) -> dict[str, NDArray[np.float64]]:
    """Average precision of every query in both tasks, by `DEFINITION`: task to `(n_query,)`.

    NaN for a query that lacks the modality that the task queries with. Without labels, the query's own item
    is the only relevant one, and the query rows are ranked.
    """
    if not codes.query_labels.shape[1]:
        return score_own_items(codes, DEFINITION)
    scores = {}
    for task in TASKS:
        query_codes, database_codes = codes.task_codes(task)
        asks = codes.asks(task)
        scores[task] = np.full(len(asks), np.nan)
        scores[task][asks] = average_precision(
            query_codes=query_codes if asks.all() else query_codes[asks],
            database_codes=database_codes,
            query_labels=codes.query_labels[asks],
            database_labels=codes.retrieval_labels,
            **asdict(DEFINITION),
        )
    return scores


def _means(precision: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    return {task: float(values[~np.isnan(values)].mean()) for task, values in precision.items()}


@lru_cache(maxsize=2)
def describe_environment(device: str) -> dict[str, JsonValue]:
    """Versions, machine and threads that a result came from."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }
