"""Which training rows a method finds hard: their losses in a training on all pairs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from cmh_train import EpochRecord, available_methods, build_method, find_method, fit, score_samples

from umml_cli.errors import UserError
from umml_cli.runs.cells import Cell
from umml_cli.runs.events import EpochEnded, RunEvent, RunFinished, RunStarted
from umml_cli.runs.files import file_lock
from umml_cli.runs.sample_scores import SampleScores, ScoredBy
from umml_cli.runs.training_data import training_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from cmh_data import PairedDataset

    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunStore

LAST = 5
"""Over how many last epochs the loss of a sample is a mean, if nothing else is said."""


def check_can_rank(method: str) -> None:
    """Refuse a method that does not tell its samples' losses apart.

    Raises:
        UserError: naming the methods that do.
    """
    if not find_method(method).sample_losses:
        others = ", ".join(name for name, spec in available_methods().items() if spec.sample_losses)
        raise UserError(
            f"{method} gives no loss of a single training sample, so it cannot rank them; methods that do: "
            f"{others}."
        )


def rank_samples(
    specification: RunSpecification,
    dataset: PairedDataset,
    *,
    last: int = LAST,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> SampleScores:
    """Train on all pairs and return the loss of every training row.

    Args:
        specification: method, options and seed; what its cell does to the pairs is left out.
        dataset: the data, whose training rows are ranked.
        last: over how many last epochs the losses are means; where there are fewer: all of them.
        on_event: told of every epoch.

    Raises:
        UserError: the method does not tell its samples' losses apart.
    """
    check_can_rank(specification.method)
    spec = _on_all_pairs(specification)
    rows = dataset.split.train
    plan = spec.plan(len(rows)).with_missing(
        image_present=dataset.image_present[rows], text_present=dataset.text_present[rows]
    )
    data, _ = training_data(plan, dataset, spec)
    method = build_method(spec.method, spec.config(), data.spec, spec.seed)
    batch_size = spec.step_rows(data.spec.n_train)
    scores: deque[dict[str, np.ndarray]] = deque(maxlen=last)

    def score(record: EpochRecord) -> None:
        if record.epoch + last >= spec.epochs:
            scores.append(
                score_samples(method, data, batch_size=batch_size, seed=spec.seed, precision=spec.precision)
            )
        on_event(EpochEnded(specification.run_id, record.epoch + 1))

    on_event(RunStarted(specification.run_id, first_epoch=0))
    fit(
        method,
        data,
        epochs=spec.epochs,
        batch_size=batch_size,
        device=spec.device,
        precision=spec.precision,
        seed=spec.seed,
        on_epoch_end=score,
    )
    on_event(RunFinished(specification.run_id))
    terms = {name: np.mean([one[name] for one in scores], axis=0) for name in scores[0]}
    made_with = ScoredBy(
        data=spec.dataset,
        data_digest=dataset.digest,
        method=spec.method,
        method_version=spec.method_version,
        options=spec.config().model_dump(mode="json"),
        seed=spec.seed,
        last=len(scores),
    )
    return SampleScores(np.asarray(rows, np.int64), terms, made_with)


def scores_of_run(
    specification: RunSpecification, dataset: PairedDataset, store: RunStore
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the loss of every training row for a run that takes the hardest or easiest first.

    They are made once for all runs of the same method, options and seed, and kept beside the runs.

    Args:
        specification: the run.
        dataset: its data.
        store: where the runs lie.
    """
    path = store.root / f"ranking-{_on_all_pairs(specification).run_id}.npz"
    with file_lock(path.with_suffix(".lock")):
        if path.exists():
            scores = SampleScores.load(path)
        else:
            scores = rank_samples(specification, dataset)
            scores.save(path)
    return scores.total


def _on_all_pairs(specification: RunSpecification) -> RunSpecification:
    """The same training with all pairs, on the features of the data set."""
    usual = {"cell": Cell.of("paired"), "completion": "none", "neighbours": None, "crops": None}
    return specification.model_copy(update=usual)
