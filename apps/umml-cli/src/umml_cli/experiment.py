"""Experiments: grids of methods, data sets, cells and seeds, written as TOML files."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from umml_cli.cells import Cell
from umml_cli.errors import UserError, describe_validation
from umml_cli.methods import method_version
from umml_cli.specification import RunSpecification

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cmh_data import PairedDataset


GridScheme = Literal["paired", "UI", "UT", "UIT", "SD", "untrained"]


class MethodChoice(BaseModel):
    """A method of an experiment: one of its presets, and options that differ from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)


class Experiment(BaseModel):
    """A grid of runs.

    Args:
        title: one sentence.
        data: names of data sets; paths are given on the command line.
        methods: method name to its choice of options.
        cells: scheme to its percentages; paired and untrained have the single percentage 0.
        seeds: number of repetitions, seeds 0, 1, ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    data: tuple[str, ...] = Field(min_length=1)
    methods: dict[str, MethodChoice] = Field(min_length=1)
    cells: dict[GridScheme, tuple[float, ...]] = Field(min_length=1)
    seeds: int = Field(default=1, ge=1)

    def grid(self) -> list[Cell]:
        """The cells in the file's order."""
        return [Cell.of(scheme, percent) for scheme, percents in self.cells.items() for percent in percents]


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file; raises `UserError` that names what is wrong in it."""
    try:
        return Experiment.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"There is no experiment file {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"{path}: {describe_validation(error)}.") from error


def built_in_experiment(name: str) -> Experiment:
    """An experiment that comes with the app."""
    text = files("umml_cli").joinpath("experiments", f"{name}.toml").read_text(encoding="utf-8")
    return Experiment.model_validate(tomllib.loads(text))


@dataclass(frozen=True)
class DataSource:
    """A data set and where another process finds it: the path, or the name of a built-in one."""

    location: str
    dataset: PairedDataset


def specify(
    experiment: Experiment, sources: Mapping[str, DataSource], *, overrides: Mapping[str, Any] | None = None
) -> Iterator[RunSpecification]:
    """Every run of an experiment: seed by seed, so that a first whole table stands early."""
    from cmh_train import make_config  # noqa: PLC0415 - brings torch

    for seed, data, (method, choice), cell in product(
        range(experiment.seeds), experiment.data, experiment.methods.items(), experiment.grid()
    ):
        dataset = sources[data].dataset
        config = make_config(method, preset=choice.preset, options={**choice.options, **(overrides or {})})
        yield RunSpecification(
            dataset=dataset.name,
            data_digest=dataset.digest,
            method=method,
            method_version=method_version(method),
            options=config.model_dump(mode="json"),
            cell=cell,
            seed=seed,
        )
