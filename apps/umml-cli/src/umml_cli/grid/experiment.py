"""Experiments: grids of methods, data sets, cells and seeds, written as TOML files."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from umml_cli.errors import UserError, describe_validation, did_you_mean
from umml_cli.names import Name, is_name
from umml_cli.runs.cells import Cell, Partial
from umml_cli.terms import (
    SCHEME_TITLES,
    UNPAIRED,
    CompletedScheme,
    CompletionChoice,
    FigureKind,
    RankedScheme,
    split_label,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from umml_cli.results.series import Series
    from umml_cli.runs.specification import RunSpecification


GridScheme = Literal["paired", "UI", "UT", "UIT", "SD", "untrained"] | CompletedScheme | RankedScheme
TableKind = Literal["cells", "best", "unpaired", "classes", "completion", "leaderboard", "ranked"]
BASE = "umml"
"""The built-in file that is no experiment itself: what the paper's tables share."""


class MethodChoice(BaseModel):
    """A method of an experiment.

    Args:
        preset: option set of the method.
        presets: data set to the option set that it takes instead.
        options: options that differ from the preset.
        vary: option to the values that it takes in turn; each combination is a series of its own.
        neighbours: how many pairs may stand in for a missing item where cells are completed by neighbour;
            several are series of their own; empty: five.
        evaluate_every: epochs between two evaluations on the queries; 0: only after the last epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str | None = None
    presets: dict[str, str] = Field(default_factory=dict)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    vary: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = Field(default_factory=dict)
    neighbours: tuple[Annotated[int, Field(ge=1)], ...] = ()
    evaluate_every: int = Field(default=0, ge=0)

    def variants(self) -> list[tuple[dict[str, JsonValue], int | None]]:
        """Every combination of options, and the number of neighbours; None: as many as is usual."""
        options = [
            {**self.options, **dict(zip(self.vary, values, strict=True))}
            for values in product(*self.vary.values())
        ]
        return list(product(options, self.neighbours or (None,)))


class Experiment(BaseModel):
    """A grid of runs, and how to show it.

    Args:
        title: one sentence.
        data: names of data sets; paths are given on the command line.
        methods: method name to its choice of options. Methods that can rank learned codes may stand twice:
            `amsh-encoded` and `amsh-learned` are AMSH with that option `database`.
        cells: scheme to its percentages; paired and untrained have the single percentage 0.
        bits: code lengths; empty: the methods' own.
        seeds: number of repetitions, seeds 0, 1, ...
        partial: what a last, partial block of a hundred training rows gives to the cells: its exact share
            ("largest-remainder"), or the places of a full block, as the field's programs do ("position").
        complete: which items of other rows stand in for missing ones in the completed cells: by "label", by
            "neighbour", or what each method is made for ("auto").
        select: "ranked": beside every cell that changes some of the pairs two more, in which the rows with
            the highest and those with the lowest loss are changed first. The losses come from a training on
            all pairs with the same method, options and seed.
        table: "cells": a column for each cell; "best": the best scheme of each share; "unpaired": beside
            methods for unpaired data; "classes": by class; "leaderboard": every method beside the others, one
            for each data set and code length; "ranked": the hardest and easiest samples beside rows in order.
        figure: kinds of figure, one or a list: "curves", mAP against the share of affected pairs; "bits",
            mAP against the code length; "precision-recall"; "top-n", precision of the first N results;
            "radius-2", precision within Hamming radius 2; "classes", change of mAP by class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    data: tuple[Name, ...] = Field(min_length=1)
    methods: dict[Name, MethodChoice] = Field(min_length=1)
    cells: dict[GridScheme, tuple[float, ...]] = Field(min_length=1)
    bits: tuple[int, ...] = ()
    seeds: int = Field(default=1, ge=1)
    partial: Partial = "largest-remainder"
    complete: CompletionChoice = "auto"
    select: Literal["first", "ranked"] = "first"
    table: TableKind | None = None
    figure: tuple[FigureKind, ...] | None = Field(default=None, min_length=1)

    @field_validator("methods")
    @classmethod
    def _lower_case(cls, methods: dict[str, MethodChoice]) -> dict[str, MethodChoice]:
        lower = {name.lower(): choice for name, choice in methods.items()}
        if len(lower) < len(methods):
            raise ValueError(f"two of {', '.join(methods)} are one method; leave one of them out")
        return lower

    @field_validator("figure", mode="before")
    @classmethod
    def _one_or_several(cls, figure: object) -> object:
        return (figure,) if isinstance(figure, str) else figure

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        cells = self.grid()
        figures = self.figure or ()
        if "classes" in {self.table, *figures} and Cell.of("paired") not in cells:
            raise ValueError('"classes" shows changes against paired training; add paired = [0] to the cells')
        if self.partial == "position" and any(cell.select != "first" for cell in cells):
            raise ValueError('partial = "position" applies to rows in order only; leave it or select out')
        if {"curves", "classes"} & {*figures} and not any(cell.percent for cell in cells):
            raise ValueError(
                "the figures curves and classes show what UI, UT, UIT or SD change; add at least one of them "
                "to the cells"
            )
        if "bits" in figures and len(set(self.bits)) < 2:
            raise ValueError(
                "the figure bits needs two code lengths or more; add them, as bits = [16, 32, 64]"
            )
        return self

    def grid(self) -> list[Cell]:
        """The cells in the file's order."""
        named = [Cell.of(scheme, percent) for scheme, percents in self.cells.items() for percent in percents]
        cells = list(dict.fromkeys(named))
        if self.select == "first":
            return cells
        return list(dict.fromkeys(each for cell in cells for each in (cell, *_ranked(cell))))

    @property
    def n_variants(self) -> int:
        """Methods, each with all of its variants."""
        return sum(len(choice.variants()) for choice in self.methods.values())

    def choose(
        self, *, methods: Iterable[str] = (), seeds: int | None = None, bits: Iterable[int] = ()
    ) -> Experiment:
        """The same experiment with some of its methods, another number of seeds, or other code lengths."""
        bits = tuple(dict.fromkeys(bits))
        chosen = tuple(methods)
        kept = {name: choice for name, choice in self.methods.items() if not chosen or selects(chosen, name)}
        return self.model_copy(
            update={"methods": kept, "seeds": seeds or self.seeds, "bits": bits or self.bits}
        )

    def with_figures(self, kinds: Iterable[FigureKind]) -> Experiment:
        """The same experiment with more kinds of figure.

        Raises:
            UserError: it cannot give one of its kinds.
        """
        figures = tuple(dict.fromkeys([*(self.figure or ()), *kinds]))
        try:
            return type(self).model_validate({**self.model_dump(), "figure": figures or None})
        except ValidationError as error:
            raise UserError(f"--figure: {describe_validation(error)}.") from error

    def completed(self, complete: CompletionChoice) -> Experiment:
        """The same experiment with completed cells beside those that miss items."""
        if complete == "none":
            return self
        cells: dict[str, tuple[float, ...]] = {}
        for scheme, percents in self.cells.items():
            cells[scheme] = percents
            if scheme in UNPAIRED:
                cells[f"{scheme} completed"] = percents
        return Experiment.model_validate({**self.model_dump(), "cells": cells, "complete": complete})

    def plans(self, run: RunSpecification) -> bool:
        """Whether a run of one of its settings is in the grid."""
        return run.cell in self.grid() and run.seed < self.seeds

    def shown(self, all_series: Iterable[Series]) -> list[Series]:
        """Those of the series that it speaks of."""
        all_series = list(all_series)
        data = self.data_sets(dict.fromkeys(series.dataset for series in all_series))
        return [
            series for series in all_series
            if any(selects([name], series.method) for name in self.methods) and series.dataset in data
            and (not self.bits or series.bits in self.bits)
        ]  # fmt: skip

    def data_sets(self, given: Iterable[str]) -> tuple[str, ...]:
        """Its data sets among those given, or all those given where it has none of them."""
        given = tuple(given)
        return tuple(name for name in self.data if name in given) or given


def _ranked(cell: Cell) -> list[Cell]:
    """The same cell with the hardest and with the easiest rows first, where that makes a difference."""
    if not 0 < cell.percent < 100 or cell.completed or cell.select != "first":
        return []
    return [Cell.of(f"{cell.scheme} {select}", cell.percent) for select in ("hardest", "easiest")]


def selects(names: Iterable[str], label: str) -> bool:
    """Whether a method's label is among the names, by itself or by its method: `amsh` has `amsh-learned`."""
    return not {label, split_label(label)[0]}.isdisjoint(names)


def built_in_names() -> list[str]:
    """Names of the experiments that come with the app, tables before figures, in the paper's order."""
    names = [
        file.name.removesuffix(".toml")
        for file in files("umml_cli").joinpath("grid", "experiments").iterdir()
    ]
    return sorted(
        (name for name in names if name != BASE),
        key=lambda name: (name.rstrip("0123456789") != "table", len(name), name),
    )


def paper_names() -> list[str]:
    """Names of the paper's tables and figures among them."""
    return [name for name in built_in_names() if name.startswith(("table", "figure"))]


def built_in_experiment(name: str) -> Experiment:
    """An experiment that comes with the app."""
    return Experiment.model_validate(_built_in_values(name))


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file; raises `UserError` that names what is wrong in it."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        _check_extension(path, values)
        return Experiment.model_validate(_with_base(values))
    except FileNotFoundError:
        raise UserError(f"There is no experiment file {path}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        known = (
            *Experiment.model_fields,
            *MethodChoice.model_fields,
            *SCHEME_TITLES,
            "extends",
            "more_methods",
        )
        raise UserError(f"{path}: {describe_validation(error, known)}.") from error


def find_experiments(names: Iterable[str]) -> dict[str, Experiment]:
    """Experiments by name: built-in ones, files by their path, "all" for everything of the paper."""
    known = paper_names()
    wanted = [each for name in names for each in (known if name == "all" else [name])]
    found: dict[str, Experiment] = {}
    origins: dict[str, str] = {}
    for name in wanted:
        short = name if name in known else Path(name).stem
        if not is_name(short):
            raise UserError(
                f"The tables of {name!r} would be called {short!r}, which is not a valid file name; rename "
                "it."
            )
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
            misspelt = name.rstrip("0123456789") not in {"table", "figure"}  # else another number is no hint
            hint = (misspelt and did_you_mean(name.lower(), known)) or "."
            raise UserError(
                f"There is no experiment {name!r}{hint} There are {', '.join(known)}, all, or a file "
                "NAME.toml."
            )
    return found


def _built_in_values(name: str) -> dict[str, Any]:
    resource = files("umml_cli").joinpath("grid", "experiments", f"{name}.toml")
    return _with_base(tomllib.loads(resource.read_text(encoding="utf-8")))


def _check_extension(path: Path, values: Mapping[str, Any]) -> None:
    """Refuse what `_with_base` cannot take, before pydantic sees the rest."""
    known = [BASE, *built_in_names()]
    if "extends" in values and values["extends"] not in known:
        raise UserError(
            f"{path}: extends names {values['extends']!r}; it can name {BASE} or one of "
            f"{', '.join(known[1:])}."
        )
    for name in ("methods", "more_methods"):
        if not isinstance(values.get(name, {}), dict):
            raise UserError(f"{path}: {name} is {values[name]!r}; write a table [{name}.METHOD] for each.")


def _with_base(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the entries of the built-in file that `extends` names, but for what it shows.

    `methods` takes the place of that file's methods, `more_methods` stand beside them.
    """
    more = values.pop("more_methods", {})
    base = values.pop("extends", None)
    if base is None:
        return {**values, "methods": {**values.get("methods", {}), **more}} if more else values
    inherited = {
        key: value for key, value in _built_in_values(base).items() if key not in {"table", "figure"}
    }
    found = {**inherited, **values}
    return {**found, "methods": {**found["methods"], **more}}
