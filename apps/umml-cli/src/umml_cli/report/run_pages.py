"""What the report knows of single runs, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umml_cli.report.gallery import look_up
from umml_cli.results.series import data_of
from umml_cli.runs.run_codes import RunCodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_data import PairedDataset

    from umml_cli.report.gallery import Item
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunFolder

N_POINTS = 60
"""Points of a training curve; longer ones are thinned."""

N_QUERIES = 3
N_SHOWN = 6


def run_pages(all_series: Sequence[Series], datasets: Mapping[str, PairedDataset]) -> dict[str, Any]:
    """A page for each run; items of the data sets stand once, for all runs that retrieve them.

    Args:
        all_series: series with their runs and store.
        datasets: data sets by name; runs on others have no retrievals.
    """
    items: dict[str, dict[int, list[str]]] = {name: {} for name in datasets}
    runs = []
    for series in all_series:
        assert series.store is not None
        dataset = data_of(series, datasets)
        for result in series.results:
            spec, folder = result.specification, series.store.folder(result.specification)
            runs.append({
                "id": spec.run_id,
                "title": spec.title,
                "method": spec.label,
                "variant": series.variant,
                "dataset": spec.dataset,
                "bits": series.bits,
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
                "retrievals": {} if dataset is None else _retrievals(dataset, folder, items[spec.dataset]),
            })  # fmt: skip
    return {"runs": runs, "items": items}


def _curves(folder: RunFolder) -> dict[str, list[list[float]]]:
    """Name of a loss or mAP to points (epoch counted from 1, value with four digits)."""
    curves: dict[str, list[list[float]]] = {}
    for line in folder.read_metrics():
        for name, value in line.items():
            if name not in {"epoch", "seconds"}:
                curves.setdefault(name, []).append([line["epoch"] + 1, float(f"{value:.4g}")])
    return {name: _thin(points) for name, points in curves.items()}


def _thin(points: list[list[float]]) -> list[list[float]]:
    """At most `N_POINTS` of the points, the last one among them."""
    step = -(-len(points) // N_POINTS)
    return points[::-1][::step][::-1] if points else points


def _retrievals(dataset: PairedDataset, folder: RunFolder, items: dict[int, list[str]]) -> dict[str, Any]:
    """Task to [query row, [[row, distance, right], ...]]; texts of the rows go to `items`."""

    def row_of(item: Item) -> int:
        items[item.row] = [item.name, item.words, item.labels]
        return item.row

    found = look_up(dataset, RunCodes.load(folder.codes), n_queries=N_QUERIES, n_shown=N_SHOWN)
    return {
        task: [
            [
                row_of(one.query),
                [[row_of(answer.item), answer.distance, int(answer.right)] for answer in one.answers],
            ]
            for one in retrievals
        ]
        for task, retrievals in found.items()
    }
