"""From a list of runs to their results, figures, table and report in one output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.executor import available_cores, run_all
from umml_cli.figures import save_figure, share_figure
from umml_cli.files import folder_lock, write_text
from umml_cli.progress import grid_progress
from umml_cli.results import collect, summary_csv
from umml_cli.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cmh_data import PairedDataset
    from rich.console import Console

    from umml_cli.experiment import DataSource
    from umml_cli.gallery import Gallery
    from umml_cli.results import Series
    from umml_cli.specification import RunSpecification
    from umml_cli.store import RunResult

RUNS = "runs"
GALLERY_PERCENT = 60


def run_grid(
    specifications: Sequence[RunSpecification],
    *,
    sources: Mapping[str, DataSource],
    out: Path,
    console: Console,
    workers: int | None = None,
) -> list[RunResult]:
    """Perform the runs that are not complete yet, and return the results of all.

    Args:
        specifications: the runs.
        sources: data sets by name.
        out: output folder; runs lie in `out/runs`. Held by a lock meanwhile.
        console: where progress is shown.
        workers: processes; None: one for each core.

    Raises:
        UserError: another process holds the folder, or a run failed.
    """
    with folder_lock(out):
        store = RunStore(out / RUNS)
        pending = [spec for spec in specifications if not store.folder(spec).result.exists()]
        with grid_progress(console, specifications, pending) as on_event:
            run_all(
                pending,
                locations={source.dataset.name: source.location for source in sources.values()},
                root=store.root,
                workers=workers or available_cores(),
                on_event=on_event,
            )
        return list(store.results(specifications))


def perform_here(
    specification: RunSpecification, dataset: PairedDataset, *, out: Path, console: Console
) -> RunResult:
    """Perform one run in this process with every core, unless it is complete already.

    Args:
        specification: the run.
        dataset: its data.
        out: folder of the runs, held by a lock meanwhile.
        console: where progress is shown.
    """
    from umml_cli.run import perform  # noqa: PLC0415 - brings torch

    with folder_lock(out):
        store = RunStore(out)
        result = store.folder(specification).read_result()
        pending = [specification] if result is None else []
        with grid_progress(console, [specification], pending) as on_event:
            return result or perform(specification, dataset, store=store, on_event=on_event)


def write_outputs(
    title: str, results: Sequence[RunResult], *, sources: Mapping[str, DataSource], out: Path
) -> list[Series]:
    """Write `summary.csv`, the figure of each series and `report.html`; return the series."""
    from umml_cli.report import Section, render_report  # noqa: PLC0415 - templates only when there is something to show

    datasets = {source.dataset.name: source.dataset for source in sources.values()}
    all_series = collect(results)
    sections = []
    for series in all_series:
        path = out / "figures" / f"{series.dataset}-{series.method}-{series.bits}"
        save_figure(share_figure(series), path)
        behind = [result for result in results if series.holds(result)]
        sections.append(
            Section(
                series=series,
                figure_svg=path.with_suffix(".svg").read_text(encoding="utf-8"),
                gallery=_gallery(datasets[series.dataset], behind, RunStore(out / RUNS)),
                results=behind,
            )
        )
    write_text(out / "report.html", render_report(title, sections))
    write_text(out / "summary.csv", summary_csv(all_series))
    return all_series


def _gallery(dataset: PairedDataset, results: Sequence[RunResult], store: RunStore) -> Gallery:
    """Retrievals of the first seed in the cells to compare: paired, 60 % of each scheme, untrained."""
    from umml_cli.gallery import make_gallery  # noqa: PLC0415 - as above

    shown = {
        result.specification.cell: store.folder(result.specification)
        for result in results
        if result.specification.seed == 0 and result.specification.cell.percent in {0, GALLERY_PERCENT}
    }
    return make_gallery(dataset, shown)
