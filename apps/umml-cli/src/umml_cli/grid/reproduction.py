"""A reproduction: experiments, their runs, and how to write them down again from the folder alone."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cmh_data import DataError
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from umml_cli.errors import UserError, describe_validation
from umml_cli.grid.experiment import Experiment
from umml_cli.grid.specify import specify, unite
from umml_cli.inputs.data_sources import open_sources
from umml_cli.inputs.picture_files import picture_roots
from umml_cli.names import Name
from umml_cli.runs.files import read_json, write_json
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.terms import FigureKind, LatexWidth, Selection, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from cmh_data import PairedDataset

    from umml_cli.inputs.data_sources import DataSource
    from umml_cli.terms import Precision

FILE = "grid.json"


class Reproduction(BaseModel):
    """What `grid.json` of an output folder holds, so that tables and report can be made again.

    Args:
        experiments: by name.
        locations: data set to where it was loaded from.
        specifications: every run, once.
        selection: which epoch stands in the tables.
        spread: what stands behind ± and the bars of figures.
        latex_width: what the LaTeX tables fit.
        pictures: data set to the folder or zip file in which its ids are paths, for the report.
        settings: experiment to the settings of its runs; two may train the same method with other options.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiments: dict[Name, Experiment]
    locations: dict[Name, str]
    specifications: tuple[RunSpecification, ...]
    selection: Selection = "last"
    spread: Spread = "sd"
    latex_width: LatexWidth = "page"
    pictures: dict[Name, Path] = {}
    settings: dict[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _settings_of_each(self) -> Self:
        if self.settings.keys() != self.experiments.keys():
            raise ValueError(
                f"settings must name the experiments {', '.join(self.experiments)}, but they name "
                f"{', '.join(self.settings) or 'none'}"
            )
        return self

    @classmethod
    def of(
        cls,
        experiments: Mapping[str, Experiment],
        sources: Mapping[str, DataSource],
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        device: str = "cpu",
        precision: Precision | Callable[[RunSpecification], Precision] = "float32",
        evaluate_every: int | None = None,
        validation: float = 0,
    ) -> Self:
        """Plan the runs of experiments; those that several share come once.

        Args:
            experiments: by name.
            sources: data sets by name.
            overrides: method name, or "" for every method, to options.
            device: where to train.
            precision: floating-point type of training, or what gives it for a run.
            evaluate_every: epochs between two evaluations; None: as the experiments say.
            validation: percentage of the training rows that are held out as queries.
        """
        runs = {
            name: list(
                specify(
                    experiment,
                    sources,
                    overrides=overrides,
                    device=device,
                    precision=precision,
                    evaluate_every=evaluate_every,
                    validation=validation,
                )
            )
            for name, experiment in experiments.items()
        }
        return cls.model_validate(
            {
                "experiments": experiments,
                "locations": {name: source.location for name, source in sources.items()},
                "specifications": unite(chain.from_iterable(runs.values())),
                "settings": {
                    name: tuple(dict.fromkeys(spec.setting_id for spec in specs))
                    for name, specs in runs.items()
                },
            }
        )

    @classmethod
    def load(cls, out: Path, *, replaced: Collection[str] = ()) -> Self:
        """Read what `save` wrote; of experiments that are about to be replaced the runs are left out."""
        if not (out / FILE).exists():
            raise UserError(f"{out} is not an output folder of umml reproduce: it has no {FILE}.")
        try:
            found = cls.model_validate(read_json(out / FILE))
        except ValidationError as error:
            raise UserError(f"{out / FILE} is not understood: {describe_validation(error)}.") from error
        settings = {name: settings for name, settings in found.settings.items() if name not in replaced}
        return found.model_copy(update={"settings": settings})

    def save(self, out: Path) -> None:
        """Write `grid.json`."""
        write_json(out / FILE, self.model_dump(mode="json"))

    def shown_as(
        self, *, selection: str | None = None, spread: str | None = None, latex_width: str | None = None
    ) -> Self:
        """The same runs, shown in another way where one is named.

        Args:
            selection: "last" or "paper".
            spread: "sd" or "interval".
            latex_width: "column" or "page".
        """
        given = {"selection": selection, "spread": spread, "latex_width": latex_width}
        return self.model_copy(update={name: value for name, value in given.items() if value is not None})

    def lying_at(self, locations: Mapping[str, str]) -> Self:
        """The same, with data sets at other places.

        Args:
            locations: data set to its file.
        """
        return self.model_copy(update={"locations": {**self.locations, **locations}})

    def with_pictures(self, assignments: Iterable[str]) -> Self:
        """The same, with pictures in the report.

        Args:
            assignments: `NAME=PATH`: of a data set the folder or zip file in which its ids are paths.
        """
        roots = picture_roots(assignments, self.locations)
        return self.model_copy(update={"pictures": {**self.pictures, **roots}})

    def with_figures(self, kinds: Iterable[FigureKind]) -> Self:
        """The same, with more kinds of figure of every experiment."""
        kinds = tuple(kinds)
        return self.model_copy(
            update={"experiments": {name: one.with_figures(kinds) for name, one in self.experiments.items()}}
        )

    def beside(self, out: Path) -> Self:
        """This reproduction together with the experiments that the folder holds already, if any.

        They keep their runs, whatever settings this one has; those named again are replaced. All are shown as
        the folder's were.
        """
        if not (out / FILE).exists():
            return self
        before = type(self).load(out, replaced=self.experiments)
        kept = [
            spec for spec in before.specifications
            if any(
                spec.setting_id in settings and before.experiments[name].plans(spec)
                for name, settings in before.settings.items()
            )
        ]  # fmt: skip
        specifications = unite([*kept, *self.specifications])
        shown = {spec.dataset for spec in specifications}
        locations = {**before.locations, **self.locations}
        return self.model_copy(
            update={
                "experiments": {**before.experiments, **self.experiments},
                "locations": {name: place for name, place in locations.items() if name in shown},
                "specifications": tuple(specifications),
                "settings": {**before.settings, **self.settings},
                **{name: getattr(before, name) for name in ("selection", "spread", "latex_width")},
                "pictures": {**before.pictures, **self.pictures},
            }
        )

    def open_data(self, known: Mapping[str, PairedDataset]) -> tuple[dict[str, PairedDataset], list[str]]:
        """The data sets for retrievals and label names, and a sentence for what has to do without.

        Args:
            known: data sets that are open already.
        """
        datasets, notes = dict(known), []
        for name, location in self.locations.items():
            if name not in known:
                try:
                    source = open_sources([name if name == location else f"{name}={location}"])
                except (UserError, DataError, OSError) as error:
                    notes.append(f"No retrieval examples of {name}: {error}")
                    continue
                datasets[name] = source[name].dataset
            digest = datasets[name].digest
            n_others = sum(
                spec.dataset == name and spec.data_digest != digest for spec in self.specifications
            )
            if n_others:
                notes.append(
                    f"{n_others} runs in the tables were trained on {name} before {location} changed, and "
                    "have no retrieval examples; name their experiments again to train on the data as they "
                    "are now."
                )
        return datasets, notes

    def outdated(self, out: Path, digests: Mapping[str, str]) -> list[str]:
        """A sentence for each data set that has changed: how many complete runs no longer count.

        Args:
            out: the folder.
            digests: data set to its digest now.
        """
        wanted = {spec.run_id for spec in self.specifications}
        old: dict[str, int] = {}
        for folder in RunStore(out / RUNS).folders():
            if folder.path.name in wanted or not folder.result.exists():
                continue
            spec = folder.read_specification()
            if digests.get(spec.dataset, spec.data_digest) != spec.data_digest:
                old[spec.dataset] = old.get(spec.dataset, 0) + 1
        return [
            f"the data of {name} have changed: {count} older runs no longer count."
            for name, count in old.items()
        ]
