"""What the report knows of single runs, as JSON values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from umml_cli.inputs.picture_files import PictureFiles
from umml_cli.report.gallery import Items, look_up
from umml_cli.runs.run_codes import RunCodes
from umml_cli.terms import method_title, split_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.report.gallery import Retrieval
    from umml_cli.runs.store import RunFolder, RunResult

N_POINTS = 60
"""Points of a training curve; longer ones are thinned."""


class RunPages:
    """A page for each run; items of the data sets stand once, for all runs that retrieve them.

    Args:
        pictures: data set to the folder or zip file of its pictures.
    """

    def __init__(self, pictures: Mapping[str, Path] | None = None) -> None:
        self._pictures = pictures or {}
        self.runs: list[dict[str, Any]] = []
        self._items: dict[str, Items] = {}

    def add(
        self, result: RunResult, folder: RunFolder, dataset: PairedDataset | None, variant: str = ""
    ) -> None:
        """Add a run.

        Args:
            result: what came out.
            folder: where it lies.
            dataset: what it saw; None: without retrieval examples.
            variant: what sets it apart from other runs of the same data set, method and code length.
        """
        spec = result.specification
        self.runs.append({
            "id": spec.run_id,
            "title": spec.title,
            "heading": f"{method_title(spec.label)} on {spec.dataset}{spec.rows_remark}, {spec.bits} bits, "
            f"{spec.cell.title}, seed {spec.seed}" + (f" ({variant})" if variant else ""),
            "method": spec.label,
            "name": split_label(spec.label)[0],
            "variant": variant,
            "dataset": spec.dataset,
            "bits": spec.bits,
            "scheme": spec.cell.scheme,
            "cell": spec.cell.title,
            "seed": spec.seed,
            "last": result.map,
            "best": result.best.map,
            "best_epoch": result.best.epoch,
            "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
            "specification": spec.model_dump(mode="json"),
            "environment": result.environment,
            "curves": _curves(folder),
            "has_data": dataset is not None,
            "retrievals": {} if dataset is None else self._retrievals(result, folder, dataset),
        })  # fmt: skip

    @property
    def with_emoji(self) -> bool:
        """Whether pictures of the built-in data set are shown."""
        return any(items.shows_emoji for items in self._items.values())

    @property
    def notes(self) -> list[str]:
        """A sentence for each data set whose pictures are not all there."""
        return [
            f"{len(items.absent)} of the pictures of {name} that the report shows are not in "
            f"{self._pictures[name]} or cannot be read, such as {items.absent[0]}; --pictures must be the "
            "folder or zip file in which the ids of the data are paths."
            for name, items in self._items.items()
            if items.absent
        ]

    def as_json(self) -> dict[str, Any]:
        """The runs, and for each data set row to [text, class names, picture]."""
        return {"runs": self.runs, "items": {name: items.shown for name, items in self._items.items()}}

    def _retrievals(self, result: RunResult, folder: RunFolder, dataset: PairedDataset) -> dict[str, Any]:
        """Task to queries: [row, [[row, distance, relevant + 2 * own], ...], [distance, first, last]].

        The last three are of the query's partner; None where it cannot be placed.
        """
        name = result.specification.dataset
        if name not in self._items:
            root = self._pictures.get(name)
            self._items[name] = Items(dataset, None if root is None else PictureFiles(root))
        items = self._items[name]
        if not items.can_be_shown:
            return {}
        found = look_up(dataset, RunCodes.load(folder.codes), one_space=result.one_space)
        return {task: [_as_json(one, items) for one in retrievals] for task, retrievals in found.items()}


def _as_json(one: Retrieval, items: Items) -> list[Any]:
    answers = [
        [items.row(answer.row), answer.distance, answer.relevant + 2 * answer.own] for answer in one.answers
    ]
    partner = one.partner and [one.partner.distance, one.partner.first, one.partner.last]
    return [items.row(one.row), answers, partner]


def _curves(folder: RunFolder) -> dict[str, list[list[float]]]:
    """Name of a loss or mAP to points (epoch counted from 1, value with four digits)."""
    curves: dict[str, list[list[float]]] = {}
    for line in folder.read_metrics():
        for name, value in line.items():
            if name not in {"epoch", "seconds"}:
                curves.setdefault(name, []).append([line["epoch"] + 1, float(f"{value:.4g}")])
    return {name: thin(points) for name, points in curves.items()}


def thin(points: list[list[float]]) -> list[list[float]]:
    """At most `N_POINTS` of the points, the last one among them."""
    step = -(-len(points) // N_POINTS)
    return points[::-1][::step][::-1] if points else points


def compared(results: Iterable[RunResult]) -> list[RunResult]:
    """The runs whose examples and curves stand side by side: the first seed's, at one share of each scheme.

    That is 60% where it was run, else the share with the most schemes; and with it paired and untrained.
    """
    results = list(results)
    seed = min(result.specification.seed for result in results)
    results = [result for result in results if result.specification.seed == seed]
    shares = Counter(result.specification.cell.percent for result in results)
    del shares[0]
    share = max(shares, key=lambda one: (one == 60, shares[one], one), default=0)
    return [result for result in results if result.specification.cell.percent in {0, share}]
