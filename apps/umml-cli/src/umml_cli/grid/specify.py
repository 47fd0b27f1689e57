"""From experiments to runs: every cell and seed of every method on every data set."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from umml_cli.errors import UserError
from umml_cli.grid.experiment import MethodChoice, selects
from umml_cli.inputs.method_options import labelled_options, method_config, method_version, named_method
from umml_cli.runs.completion import choose_completion
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.validation import rows_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cmh_data import PairedDataset

    from umml_cli.grid.experiment import Experiment
    from umml_cli.inputs.data_sources import DataSource
    from umml_cli.runs.cells import Cell
    from umml_cli.terms import Completion, Precision


def refuse_unused(
    experiments: Mapping[str, Experiment],
    *,
    methods: Iterable[str],
    overrides: Iterable[str],
    data: Iterable[str],
) -> None:
    """Refuse what was asked for and would change nothing.

    Args:
        experiments: as in their files.
        methods: those to keep; empty: all.
        overrides: methods whose options are changed; "" for every method.
        data: data sets that were given.
    """
    known = dict.fromkeys(name for each in experiments.values() for name in each.methods)
    methods = list(methods)
    unknown = [name for name in methods if not any(selects([name], one) for one in known)]
    if unknown:
        raise UserError(
            f"None of these experiments has the method {', '.join(unknown)}; there are {', '.join(known)}."
        )
    kept = [name for name in known if not methods or selects(methods, name)]
    unknown = [name for name in overrides if name and not any(selects([name], one) for one in kept)]
    if unknown:
        raise UserError(
            f"--set names the method {', '.join(unknown)}, but {', '.join(kept)} are what is trained; "
            "options are METHOD.NAME=VALUE, or NAME=VALUE for every method."
        )
    data = list(data)
    unused = [name for name in data if all(name not in each.data_sets(data) for each in experiments.values())]
    if unused:
        shown = [name for name in data if name not in unused]
        raise UserError(
            f"None of these experiments shows {', '.join(unused)} beside {', '.join(shown)}; data of "
            "your own take the place of those that an experiment names: give them in a command of their own."
        )


def with_own_methods(experiments: Mapping[str, Experiment], methods: Iterable[str]) -> dict[str, Experiment]:
    """The experiments with those methods added that none of them has: beside the paper's, a new one.

    A preset with the name of a data set is taken for it, else "small" where there is one.

    Args:
        experiments: as in their files.
        methods: labels of installed methods.
    """
    known = {name for each in experiments.values() for name in each.methods}
    more = {}
    for label in methods:
        if not any(selects([label], one) for one in known):
            presets = named_method(labelled_options(label)[0]).presets
            more[label] = MethodChoice(
                preset="small" if "small" in presets else None, presets={name: name for name in presets}
            )
    return {
        name: each.model_copy(update={"methods": {**each.methods, **more}}) if more else each
        for name, each in experiments.items()
    }


def specify(
    experiment: Experiment,
    sources: Mapping[str, DataSource],
    *,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
    precision: Precision | Callable[[RunSpecification], Precision] = "float32",
    evaluate_every: int | None = None,
    validation: float = 0,
) -> Iterator[RunSpecification]:
    """Every run of an experiment: seed by seed, so that a first whole table stands early.

    Args:
        experiment: the grid.
        sources: data sets by name; those of the experiment are taken, or all where it has none of them.
        overrides: method name, or "" for every method, to options that replace the experiment's.
        device: where to train.
        precision: floating-point type of training, or what gives it for a run.
        evaluate_every: replaces the methods' own.
        validation: percentage of the training rows that are held out as queries.
    """
    alike: list[dict[str, Any]] = []  # what the cells and seeds of a method on a data set have in common
    every = [
        (label, choice, *variant)
        for label, choice in experiment.methods.items() for variant in choice.variants()
    ]  # fmt: skip
    for data, (label, choice, chosen, neighbours), bits in product(
        experiment.data_sets(sources), every, experiment.bits or (None,)
    ):
        method, database = labelled_options(label)
        if database.get("database") == "learned" and _without_learned(data, sources):
            continue
        asked = {**(overrides or {}).get("", {}), **(overrides or {}).get(method, {})}
        if bits is not None and "bits" in chosen:
            raise UserError(
                f"The experiment's options of {label} say {chosen['bits']} bits, but it is run at {bits} "
                "bits; leave bits out of the options, or else the experiment's own bits and --bits."
            )
        options = {**({} if bits is None else {"bits": bits}), **chosen, **asked, **database}
        config = method_config(method, preset=choice.presets.get(data, choice.preset), options=options)
        alike.append({
            "dataset": data,
            "data_digest": sources[data].dataset.digest,
            "method": method,
            "config": config,
            "method_version": method_version(method),
            "neighbours": neighbours,
            "partial": experiment.partial,
            "device": device,
            "precision": "float32" if callable(precision) else precision,
            "evaluate_every": choice.evaluate_every if evaluate_every is None else evaluate_every,
            "validation": validation,
        })  # fmt: skip
    for seed, common, cell in product(range(experiment.seeds), alike, experiment.grid()):
        dataset = rows_of_run(sources[common["dataset"]].dataset, validation)
        completion = _completion(experiment, common["method"], cell, dataset)
        if cell.select != "first":
            _check_can_rank(common["method"])
        if completion is None:
            continue
        if completion != "neighbour":
            common = {**common, "neighbours": None}  # noqa: PLW2901 - of this run alone
        run = RunSpecification.of(**common, cell=cell, completion=completion, seed=seed)
        run.check_batch(len(dataset.split.train))
        run.check_database(dataset.split)
        yield run.model_copy(update={"precision": precision(run)}) if callable(precision) else run


def _check_can_rank(method: str) -> None:
    from umml_cli.runs.ranking import check_can_rank  # noqa: PLC0415 - brings torch

    check_can_rank(method)


def without_learned(experiments: Iterable[Experiment], sources: Mapping[str, DataSource]) -> list[str]:
    """A sentence for each method and data set whose learned codes are not ranked, and why.

    Args:
        experiments: the grids.
        sources: data sets by name.
    """
    said = {
        (label, data): f"{label} is left out on {data}: {_without_learned(data, sources)}; learned codes are "
        "ranked where the retrieval set is the training set."
        for experiment in experiments
        for data, label in product(experiment.data_sets(sources), experiment.methods)
        if labelled_options(label)[1].get("database") == "learned" and _without_learned(data, sources)
    }
    return list(said.values())


def _without_learned(data: str, sources: Mapping[str, DataSource]) -> str:
    """Why learned codes of a data set cannot be ranked; "" where they can."""
    split = sources[data].dataset.split
    outside = len(set(split.retrieval) - set(split.train))
    return f"{outside} of its {len(split.retrieval)} ranked rows are not training rows" if outside else ""


def _completion(experiment: Experiment, method: str, cell: Cell, dataset: PairedDataset) -> Completion | None:
    """Which donors a cell takes; None: the cell is completed, but with this method or data it can't be."""
    from cmh_train import find_method  # noqa: PLC0415 - brings torch

    if not cell.completed:
        return "none"
    plan = cell.plan(len(dataset.split.train), experiment.partial)
    try:
        completion = choose_completion(
            experiment.complete,
            find_method(method),
            has_labels=dataset.label.shape[1] > 0,
            n_pairs=plan.counts.true_pairs,
        )
    except UserError:
        return None
    return None if completion == "none" else completion


def unite(specifications: Iterable[RunSpecification]) -> list[RunSpecification]:
    """Each run once, however many experiments show it; all of a seed before the next seed."""
    once = {spec.run_id: spec for spec in specifications}
    return sorted(once.values(), key=lambda spec: spec.seed)
