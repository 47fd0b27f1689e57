"""The small report of a single run, in the run's own folder: its numbers, curves and retrieval examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.report.page_templates import CREDIT, render, script_json
from umml_cli.report.run_pages import RunPages
from umml_cli.runs.files import write_text
from umml_cli.runs.progress import format_seconds
from umml_cli.terms import SCHEME_TITLES, TASK_TITLES, TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.runs.store import RunFolder, RunResult


def write_run_report(
    result: RunResult, folder: RunFolder, dataset: PairedDataset | None, *, pictures: Path | None = None
) -> tuple[Path, list[str]]:
    """Write `report.html` into the folder of a complete run.

    Args:
        result: what came out.
        folder: of the run.
        dataset: what the run saw; None: without retrieval examples.
        pictures: the folder or zip file in which the ids of the data are paths.

    Returns:
        The file, and a sentence for each thing that could not be shown.
    """
    spec = result.specification
    pages = RunPages({} if pictures is None else {spec.dataset: pictures})
    pages.add(result, folder, dataset)
    maps = " and ".join(f"{result.map[task]:.3f} {TASK_TITLES[task]}" for task in TASKS)
    after = f"after {result.epochs} epochs" if result.epochs != 1 else "after 1 epoch"
    path = folder.path / "report.html"
    write_text(path, render(
        "run.html",
        title=pages.runs[0]["heading"],
        result=f"The mAP is {maps}{f', {after}' if spec.cell.trained else ''}.",
        schemes={spec.cell.title: SCHEME_TITLES[spec.cell.scheme]},
        numbers=list(_numbers(result)),
        notes=[f"Measure: {result.measure}."],
        pages=script_json(pages.as_json()),
        credit=CREDIT if pages.with_emoji else "",
    ))  # fmt: skip
    return path, pages.notes


def _numbers(result: RunResult) -> Iterator[tuple[str, str]]:
    for task in TASKS:
        yield f"mAP {TASK_TITLES[task]}, last epoch", f"{result.map[task]:.4f}"
    if result.best.epoch != result.epochs:
        for task in TASKS:
            title = f"mAP {TASK_TITLES[task]}, epoch {result.best.epoch} (best on the test queries)"
            yield title, f"{result.best.map[task]:.4f}"
    for task, found in (result.own_items or {}).items():
        for name, value in found.items():
            if name != "items":
                shown = f"{value:g} of {found['items']:g}" if name == "median rank" else f"{value:.4f}"
                yield f"{name}, {TASK_TITLES[task]}", shown
    pairs = result.training_pairs
    yield "training rows kept", f"{pairs.get('kept', 0)} of {pairs.get('rows', 0)}"
    yield "complete pairs", str(pairs.get("paired", 0))
    for name, count in result.left_out.items():
        yield name, str(count)
    yield "training time", format_seconds(result.seconds.get("training", 0))
