"""A reproduction: experiments, their runs, and how to write them down again from the folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict

from umml_cli.errors import UserError
from umml_cli.experiment import Experiment, specify, unite
from umml_cli.files import read_json, write_json
from umml_cli.grid import RUNS, write_outputs
from umml_cli.results import Selection
from umml_cli.specification import RunSpecification
from umml_cli.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from cmh_data import PairedDataset

    from umml_cli.experiment import DataSource
    from umml_cli.results import Series

FILE = "grid.json"
TITLE = "Unpaired training of cross-modal hashing: the UMML paper's experiments"


class Reproduction(BaseModel):
    """What `grid.json` of an output folder holds, so that tables and report can be made again.

    Args:
        experiments: by name.
        locations: data set to where it was loaded from.
        specifications: every run, once.
        selection: which epoch stands in the tables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiments: dict[str, Experiment]
    locations: dict[str, str]
    specifications: tuple[RunSpecification, ...]
    selection: Selection = "last"

    @classmethod
    def of(
        cls,
        experiments: Mapping[str, Experiment],
        sources: Mapping[str, DataSource],
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        device: str = "cpu",
        evaluate_every: int | None = None,
        selection: str = "last",
    ) -> Self:
        """Plan the runs of experiments; those that several share come once.

        Args:
            experiments: by name.
            sources: data sets by name.
            overrides: method name, or "" for every method, to options.
            device: where to train.
            evaluate_every: epochs between two evaluations; None: as the experiments say.
            selection: "last" or "paper".
        """
        specifications = unite(
            spec
            for experiment in experiments.values()
            for spec in specify(
                experiment, sources, overrides=overrides, device=device, evaluate_every=evaluate_every
            )
        )
        return cls.model_validate(
            {
                "experiments": experiments,
                "locations": {name: source.location for name, source in sources.items()},
                "specifications": specifications,
                "selection": selection,
            }
        )

    @classmethod
    def load(cls, out: Path) -> Self:
        """Read what `save` wrote."""
        if not (out / FILE).exists():
            raise UserError(f"{out} is no folder of umml reproduce: it has no {FILE}.")
        return cls.model_validate(read_json(out / FILE))

    def save(self, out: Path) -> None:
        """Write `grid.json`."""
        write_json(out / FILE, self.model_dump(mode="json"))

    def write(self, out: Path, datasets: Mapping[str, PairedDataset]) -> list[Series]:
        """Write numbers, tables, figures and report from the runs that are complete."""
        results = list(RunStore(out / RUNS).results(self.specifications))
        return write_outputs(
            TITLE,
            results,
            datasets=datasets,
            out=out,
            experiments=self.experiments,
            selection=self.selection,
        )
