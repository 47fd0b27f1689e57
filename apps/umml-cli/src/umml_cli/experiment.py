"""Experiments: grids of methods, data sets, cells and seeds, written as TOML files."""

from __future__ import annotations

import contextlib
import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from umml_cli.cells import Cell, Partial
from umml_cli.errors import UserError, describe_validation
from umml_cli.methods import method_version
from umml_cli.specification import RunSpecification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cmh_data import PairedDataset

    from umml_cli.results import Series


GridScheme = Literal["paired", "UI", "UT", "UIT", "SD", "untrained"]
BASE = "umml"
"""The built-in file that is no experiment itself: what the paper's tables share."""


class MethodChoice(BaseModel):
    """A method of an experiment.

    Args:
        preset: option set of the method.
        presets: data set to the option set that it takes instead.
        options: options that differ from the preset.
        evaluate_every: epochs between two evaluations on the queries; 0: only after the last epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str | None = None
    presets: dict[str, str] = Field(default_factory=dict)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    evaluate_every: int = Field(default=0, ge=0)


class Experiment(BaseModel):
    """A grid of runs, and how to show it.

    Args:
        title: one sentence.
        data: names of data sets; paths are given on the command line.
        methods: method name to its choice of options.
        cells: scheme to its percentages; paired and untrained have the single percentage 0.
        bits: code lengths; empty: the methods' own.
        seeds: number of repetitions, seeds 0, 1, ...
        partial: what a last, partial block of a hundred training rows gives to the cells: its exact share
            ("largest-remainder"), or the places of a full block, as the field's programs do ("position").
        table: "cells": a column for each cell; "best": the best scheme of each share; "unpaired": beside
            methods for unpaired data; "classes": by class.
        figure: "curves": mAP against the share changed; "classes": change by class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    data: tuple[str, ...] = Field(min_length=1)
    methods: dict[str, MethodChoice] = Field(min_length=1)
    cells: dict[GridScheme, tuple[float, ...]] = Field(min_length=1)
    bits: tuple[int, ...] = ()
    seeds: int = Field(default=1, ge=1)
    partial: Partial = "largest-remainder"
    table: Literal["cells", "best", "unpaired", "classes"] | None = None
    figure: Literal["curves", "classes"] | None = None

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        cells = self.grid()
        if "classes" in {self.table, self.figure} and Cell.of("paired") not in cells:
            raise ValueError('"classes" shows changes against paired training; add paired = [0] to the cells')
        if self.figure is not None and not any(cell.percent for cell in cells):
            raise ValueError(
                "a figure shows what UI, UT, UIT or SD change; add at least one of them to the cells"
            )
        return self

    def grid(self) -> list[Cell]:
        """The cells in the file's order."""
        return [Cell.of(scheme, percent) for scheme, percents in self.cells.items() for percent in percents]

    def choose(self, *, methods: Iterable[str] = (), seeds: int | None = None) -> Experiment:
        """The same experiment with some of its methods, or another number of seeds."""
        kept = {name: choice for name, choice in self.methods.items() if not methods or name in methods}
        return self.model_copy(update={"methods": kept, "seeds": seeds or self.seeds})

    def plans(self, run: RunSpecification) -> bool:
        """Whether a run of one of its settings is in the grid."""
        return run.cell in self.grid() and run.seed < self.seeds

    def covers(self, run: RunSpecification, given: Iterable[str]) -> bool:
        """Whether a run on the data sets that were given is one of its own, whatever the options."""
        known = run.method in self.methods and run.dataset in self.data_sets(given)
        return known and self.plans(run) and (not self.bits or run.options["bits"] in self.bits)

    def shown(self, all_series: Iterable[Series]) -> list[Series]:
        """Those of the series that it speaks of."""
        all_series = list(all_series)
        data = self.data_sets(dict.fromkeys(series.dataset for series in all_series))
        return [
            series for series in all_series
            if series.method in self.methods and series.dataset in data
            and (not self.bits or series.bits in self.bits)
        ]  # fmt: skip

    def data_sets(self, given: Iterable[str]) -> tuple[str, ...]:
        """Its data sets among those given, or all those given where it has none of them."""
        given = tuple(given)
        return tuple(name for name in self.data if name in given) or given


def built_in_names() -> list[str]:
    """Names of the experiments that come with the app, tables before figures, in the paper's order."""
    names = [file.name.removesuffix(".toml") for file in files("umml_cli").joinpath("experiments").iterdir()]
    return sorted(
        (name for name in names if name != BASE),
        key=lambda name: (name.rstrip("0123456789") != "table", len(name), name),
    )


def built_in_experiment(name: str) -> Experiment:
    """An experiment that comes with the app."""
    return Experiment.model_validate(_built_in_values(name))


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file; raises `UserError` that names what is wrong in it."""
    try:
        return Experiment.model_validate(_with_base(tomllib.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        raise UserError(f"There is no experiment file {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"{path}: {describe_validation(error)}.") from error


def find_experiments(names: Iterable[str]) -> dict[str, Experiment]:
    """Experiments by name: built-in ones, files by their path, "all" for everything of the paper."""
    known = [name for name in built_in_names() if name.startswith(("table", "figure"))]
    wanted = [each for name in names for each in (known if name == "all" else [name])]
    found: dict[str, Experiment] = {}
    origins: dict[str, str] = {}
    for name in wanted:
        short = name if name in known else Path(name).stem
        if origins.setdefault(short, name) != name:
            raise UserError(
                f"{origins[short]} and {name} are both called {short!r}, and so would be their tables; "
                "rename one."
            )
        if name in known:
            found[short] = built_in_experiment(name)
        elif name.endswith(".toml"):
            found[short] = read_experiment(Path(name))
        else:
            raise UserError(
                f"There is no experiment {name!r}; there are {', '.join(known)}, all, or a file NAME.toml."
            )
    return found


def _built_in_values(name: str) -> dict[str, Any]:
    resource = files("umml_cli").joinpath("experiments", f"{name}.toml")
    return _with_base(tomllib.loads(resource.read_text(encoding="utf-8")))


def _with_base(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the entries of the built-in file that `extends` names, but for what it shows."""
    base = values.pop("extends", None)
    if base is None:
        return values
    if base not in {BASE, *built_in_names()}:
        raise UserError(
            f"extends names {base!r}; it can name {BASE} or one of {', '.join(built_in_names())}."
        )
    inherited = {
        key: value for key, value in _built_in_values(base).items() if key not in {"table", "figure"}
    }
    return {**inherited, **values}


@dataclass(frozen=True)
class DataSource:
    """A data set and where another process finds it: the path, or the name of a built-in one."""

    location: str
    dataset: PairedDataset


def open_data(location: str) -> PairedDataset:
    """Load a file, or a built-in data set by its name; data without labels are refused with the cure.

    Raises:
        UserError: there are images and texts, but no labels.
        DataError: anything else that `cmh_data` refuses.
    """
    import cmh_data  # noqa: PLC0415 - only where data is read

    try:
        return cmh_data.load(location)
    except cmh_data.DataError as error:
        with contextlib.suppress(cmh_data.DataError, OSError):
            parts = cmh_data.inspect(location).parts
            if {"image", "text"} <= parts.keys() and "labels" not in parts:
                raise UserError(
                    f"{location} has images and texts but no labels, which supervised methods learn from and "
                    "mAP counts; add an array labels of zeros and ones, a row for each item and a column for "
                    "each class."
                ) from error
        raise


def open_sources(assignments: Iterable[str]) -> dict[str, DataSource]:
    """Load the data sets of `NAME=PATH` arguments; a name alone is a built-in data set."""
    sources: dict[str, DataSource] = {}
    for assignment in assignments:
        name, _, location = assignment.partition("=")
        if not name or (not location and "/" in name):
            raise UserError(f"--data takes NAME=PATH, got {assignment!r}.")
        if name in sources:
            raise UserError(f"--data names {name} twice; give each data set a name of its own.")
        dataset = replace(open_data(location or name), name=name)
        sources[name] = DataSource(str(Path(location).resolve()) if location else name, dataset)
    return sources


def refuse_unused(
    experiments: Mapping[str, Experiment],
    *,
    methods: Iterable[str],
    overrides: Iterable[str],
    data: Iterable[str],
) -> None:
    """Refuse what was asked for and would change nothing, most likely a slip of the pen.

    Args:
        experiments: as in their files.
        methods: those to keep; empty: all.
        overrides: methods whose options are changed; "" for every method.
        data: data sets that were given.
    """
    known = dict.fromkeys(name for each in experiments.values() for name in each.methods)
    methods = list(methods)
    unknown = [name for name in methods if name not in known]
    if unknown:
        raise UserError(
            f"None of these experiments has the method {', '.join(unknown)}; there are {', '.join(known)}."
        )
    kept = methods or list(known)
    unknown = [name for name in overrides if name and name not in kept]
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


def specify(
    experiment: Experiment,
    sources: Mapping[str, DataSource],
    *,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
    evaluate_every: int | None = None,
) -> Iterator[RunSpecification]:
    """Every run of an experiment: seed by seed, so that a first whole table stands early.

    Args:
        experiment: the grid.
        sources: data sets by name; those of the experiment are taken, or all where it has none of them.
        overrides: method name, or "" for every method, to options that replace the experiment's.
        device: where to train.
        evaluate_every: replaces the methods' own.
    """
    from cmh_train import make_config  # noqa: PLC0415 - brings torch

    alike = []  # what the cells and seeds of a method on a data set have in common
    for data, (method, choice), bits in product(
        experiment.data_sets(sources), experiment.methods.items(), experiment.bits or (None,)
    ):
        asked = {**(overrides or {}).get("", {}), **(overrides or {}).get(method, {})}
        options = {**({} if bits is None else {"bits": bits}), **choice.options, **asked}
        config = make_config(method, preset=choice.presets.get(data, choice.preset), options=options)
        alike.append({
            "dataset": data,
            "data_digest": sources[data].dataset.digest,
            "method": method,
            "method_version": method_version(method),
            "options": config.model_dump(mode="json"),
            "partial": experiment.partial,
            "device": device,
            "evaluate_every": choice.evaluate_every if evaluate_every is None else evaluate_every,
        })  # fmt: skip
    for seed, common, cell in product(range(experiment.seeds), alike, experiment.grid()):
        run = RunSpecification.model_validate({**common, "cell": cell, "seed": seed})
        run.check_batch(len(sources[run.dataset].dataset.split.train))
        yield run


def unite(specifications: Iterable[RunSpecification]) -> list[RunSpecification]:
    """Each run once, however many experiments show it; all of a seed before the next seed."""
    once = {spec.run_id: spec for spec in specifications}
    return sorted(once.values(), key=lambda spec: spec.seed)
