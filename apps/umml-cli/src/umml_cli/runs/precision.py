"""`--precision auto`: the faster of float32 and bf16, tried once for all runs that are compared."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from umml_cli.runs.cells import Cell
from umml_cli.runs.files import file_lock, read_model, write_json
from umml_cli.runs.store import PrecisionTrial
from umml_cli.runs.validation import rows_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunStore
    from umml_cli.terms import Precision


@dataclass
class PrecisionChoice:
    """Chooses the precision of runs, the same for all of one method, options and data.

    A choice stays in `precision-*.json` beside the runs, so that an interrupted run continues in it, and
    cells and seeds stay comparable.

    Args:
        store: where the runs lie.
        datasets: data sets by name.
        say: told once of each setting's choice.
        threads: threads of a run on the CPU; None: as this process has.
        keep: write the choice down.
    """

    store: RunStore
    datasets: Mapping[str, PairedDataset]
    say: Callable[[str], None]
    threads: int | None = None
    keep: bool = True
    _known: dict[Path, PrecisionTrial] = field(default_factory=dict, init=False)

    def __call__(self, specification: RunSpecification) -> Precision:
        """Return the precision of a run; the one in its specification does not matter.

        Raises:
            UserError: the data have fewer training rows than a batch, or an earlier choice is damaged.
        """
        path = _path(specification, self.store)
        if path not in self._known:
            trial, made = self._find_or_make(path, specification)
            self._known[path] = trial
            self.say(
                f"{specification.method} on {specification.dataset} is trained in {trial.precision}: "
                f"{trial.reason}{'' if made else ' (tried before)'}."
            )
        return self._known[path].precision

    def _find_or_make(self, path: Path, specification: RunSpecification) -> tuple[PrecisionTrial, bool]:
        """A trial, and whether it is a new one."""
        if not self.keep:
            return (
                (read_model(path, PrecisionTrial), False)
                if path.exists()
                else (self._try(specification), True)
            )
        with file_lock(path.with_suffix(".lock")):
            if path.exists():
                return read_model(path, PrecisionTrial), False
            trial = self._try(specification)
            write_json(path, trial.model_dump(mode="json"))
            return trial, True

    def _try(self, specification: RunSpecification) -> PrecisionTrial:
        """Take the steps, on all training pairs and with the batch of the options."""
        from cmh_train import choose_precision  # noqa: PLC0415 - brings torch

        from umml_cli.runs.training_data import training_data  # noqa: PLC0415 - brings torch

        spec = _usual(specification)
        dataset = rows_of_run(self.datasets[spec.dataset], spec.validation)
        rows = dataset.split.train
        spec.check_batch(len(rows))
        plan = spec.plan(len(rows)).with_missing(
            image_present=dataset.image_present[rows], text_present=dataset.text_present[rows]
        )
        data, _ = training_data(plan, dataset, spec)
        with _torch_threads(self.threads):
            found = choose_precision(
                spec.method,
                spec.config(),
                data,
                batch_size=spec.step_rows(data.spec.n_train),
                device=spec.device,
            )
        return PrecisionTrial(precision=found.precision, seconds=found.seconds, reason=found.reason)


def trial_of(specification: RunSpecification, store: RunStore) -> PrecisionTrial | None:
    """The trial that chose a run's precision; None where the run names its own."""
    path = _path(specification, store)
    trial = read_model(path, PrecisionTrial) if path.exists() else None
    return trial if trial is not None and trial.precision == specification.precision else None


def _usual(specification: RunSpecification) -> RunSpecification:
    """The run that stands for all those whose steps take as long."""
    usual = {"cell": Cell.of("paired"), "completion": "none", "neighbours": None, "crops": None}
    others = {"seed": 0, "precision": "float32", "evaluate_every": 0}
    return specification.model_copy(update={**usual, **others})


def _path(specification: RunSpecification, store: RunStore) -> Path:
    return store.root / f"precision-{_usual(specification).run_id}.json"


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    import torch  # noqa: PLC0415 - only where something is tried

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
