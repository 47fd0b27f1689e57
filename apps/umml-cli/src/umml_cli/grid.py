"""From a list of runs to their results, tables, figures and report in one output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from umml_cli.errors import RunsFailed
from umml_cli.events import RunEvent, RunFailed, RunFinished
from umml_cli.executor import LocalExecutor
from umml_cli.figures import class_figure, save_figure, scheme_figure, share_figure
from umml_cli.files import folder_lock, remove_leftovers, write_text
from umml_cli.findings import find, findings_markdown
from umml_cli.paper_tables import one_of, paper_tables
from umml_cli.progress import grid_progress
from umml_cli.results import collect, data_of, runs_csv, summary_csv
from umml_cli.store import RunStore
from umml_cli.table_formats import to_csv, to_latex, to_markdown
from umml_cli.worker import WorkOrder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from cmh_data import PairedDataset
    from matplotlib.figure import Figure
    from rich.console import Console

    from umml_cli.executor import Executor
    from umml_cli.experiment import DataSource, Experiment
    from umml_cli.gallery import Gallery
    from umml_cli.report import Exhibit
    from umml_cli.results import Selection, Series
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
    executor: Executor | None = None,
    keep_weights: bool = True,
    checkpoint_minutes: float = 0.25,
) -> RunsFailed | None:
    """Perform the runs that are not complete yet.

    Args:
        specifications: the runs.
        sources: data sets by name.
        out: output folder; runs lie in `out/runs`. The caller holds its lock.
        console: where progress is shown.
        executor: where to perform them; None: on every core of this machine.
        keep_weights: whether runs keep their trained weights.
        checkpoint_minutes: least time between two checkpoints of a run.

    Returns:
        What failed, or None when every run is complete.

    Raises:
        UserError: workers die before they take up a run.
        OSError: the machine refuses to go on.
    """
    store = RunStore(out / RUNS)
    pending = [spec for spec in specifications if not store.folder(spec).result.exists()]
    order = WorkOrder(
        root=str(store.root.resolve()),
        locations={source.dataset.name: source.location for source in sources.values()},
        keep_weights=keep_weights,
        checkpoint_minutes=checkpoint_minutes,
    )
    for note in small_batches(
        pending, {name: len(source.dataset.split.train) for name, source in sources.items()}
    ):
        console.print(f"Note: {note}", markup=False, soft_wrap=True)
    titles = {spec.run_id: spec.title for spec in specifications}
    failed: dict[str, str] = {}  # run to reason
    with grid_progress(console, specifications, pending) as show:

        def on_event(event: RunEvent) -> None:
            if isinstance(event, RunFailed):
                failed[event.run_id] = event.reason
            elif isinstance(event, RunFinished):  # failed in a worker that then was lost, and tried again
                failed.pop(event.run_id, None)
            show(event)

        if pending:
            (executor or LocalExecutor()).run_all(pending, order, on_event)
    reasons = [(titles[run_id], reason) for run_id, reason in failed.items()]
    return RunsFailed(reasons, len(specifications)) if reasons else None


def small_batches(specifications: Iterable[RunSpecification], rows: Mapping[str, int]) -> list[str]:
    """A sentence for each method and cell whose steps take fewer rows than its options say.

    Args:
        specifications: the runs.
        rows: data set to its number of training rows.
    """
    said = {}
    for spec in specifications:
        if not spec.cell.trained or spec.dataset not in rows or not spec.cell.discard:
            continue
        kept = int(spec.plan(rows[spec.dataset]).kept.sum())
        if kept < int(str(spec.options["batch_size"])):
            said[spec.method, spec.dataset, spec.cell] = (
                f"{spec.method} on {spec.dataset}, {spec.cell.title}: discarding leaves {kept} training "
                f"rows, fewer than a batch of {spec.options['batch_size']}; a step takes all of them."
            )
    return list(said.values())


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
        for note in small_batches(pending, {specification.dataset: len(dataset.split.train)}):
            console.print(f"Note: {note}", markup=False, soft_wrap=True)
        with grid_progress(console, [specification], pending) as on_event:
            return result or perform(specification, dataset, store=store, on_event=on_event)


def write_outputs(
    title: str,
    results: Sequence[RunResult],
    *,
    datasets: Mapping[str, PairedDataset],
    out: Path,
    exhibited: Mapping[str, tuple[Experiment, Collection[str]]] | None = None,
    selection: Selection = "last",
) -> list[Series]:
    """Write numbers, tables and figures of experiments, and the report, from the runs that are complete.

    Args:
        title: heading of the report.
        results: finished runs.
        datasets: data sets by name, for retrievals and label names; those that are missing are done without.
        out: output folder.
        exhibited: name to an experiment to show in the paper's layout, and the settings of its runs.
        selection: which epoch stands in tables and figures.

    Returns:
        The series, one for each data set, method and setting.
    """
    from umml_cli.report import Section, render_report  # noqa: PLC0415 - templates only when there is something to show
    from umml_cli.run_pages import run_pages  # noqa: PLC0415 - as above

    for folder in (out, out / "tables", out / "figures"):
        remove_leftovers(folder)
    store = RunStore(out / RUNS)
    exhibits = []
    all_series = collect(results, selection=selection, store=store)
    for name, (experiment, settings) in (exhibited or {}).items():
        own = [
            result
            for series in all_series if series.setting_id in settings
            for result in series.results if result.specification.seed < experiment.seeds
        ]  # fmt: skip
        own_series = collect(own, selection=selection, store=store)
        exhibits += _write_exhibit(name, experiment, own_series, datasets=datasets, out=out)
    sections = []
    taken: set[str] = set()
    for series in all_series:
        name = f"{series.dataset}-{series.method}-{series.bits}"
        name = f"{name}-{series.setting_id[:8]}" if name in taken else name
        taken.add(name)
        path = out / "figures" / name
        save_figure(share_figure(series), path)
        dataset = data_of(series, datasets)
        sections.append(
            Section(
                series=series,
                figure_svg=path.with_suffix(".svg").read_text(encoding="utf-8"),
                gallery=None if dataset is None else _gallery(dataset, series.results, store),
                results=series.results,
            )
        )
    pages = run_pages(all_series, datasets) if exhibited else None
    findings = find(all_series)
    if findings:
        write_text(out / "findings.md", findings_markdown(findings))
    write_text(out / "report.html", render_report(title, sections, exhibits, pages, findings))
    write_text(out / "summary.csv", summary_csv(all_series))
    write_text(out / "runs.csv", runs_csv(results))
    return all_series


def _write_exhibit(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    *,
    datasets: Mapping[str, PairedDataset],
    out: Path,
) -> list[Exhibit]:
    """Write the tables and figures of one experiment, and return them for the report."""
    from umml_cli.report import Exhibit  # noqa: PLC0415 - as above

    label_names = {
        series.dataset: dataset.label_names
        for series in all_series
        if (dataset := data_of(series, datasets)) is not None
    }
    exhibits = []
    for table in paper_tables(name, experiment, all_series, label_names=label_names):
        for suffix, render in ((".md", to_markdown), (".csv", to_csv), (".tex", to_latex)):
            write_text(out / "tables" / f"{table.name}{suffix}", render(table))
        exhibits.append(Exhibit(experiment.title, table=table))
    for figure_name, figure in _figures(name, experiment, all_series, label_names):
        path = out / "figures" / figure_name
        save_figure(figure, path)
        exhibits.append(
            Exhibit(experiment.title, figure_svg=path.with_suffix(".svg").read_text(encoding="utf-8"))
        )
    return exhibits


def _figures(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    label_names: Mapping[str, Sequence[str]],
) -> list[tuple[str, Figure]]:
    shown = experiment.shown(all_series)
    if not shown or experiment.figure is None:
        return []
    if experiment.figure == "curves":
        return [(name, scheme_figure(experiment, shown))]
    return [
        (
            one_of(name, series, shown),
            class_figure(experiment, series, label_names.get(series.dataset, ())),
        )
        for series in shown
        if all((cell, "i2t") in series.scores for cell in experiment.grid())
    ]


def _gallery(dataset: PairedDataset, results: Sequence[RunResult], store: RunStore) -> Gallery:
    """Retrievals of the first seed in the cells to compare: paired, 60 % of each scheme, untrained."""
    from umml_cli.gallery import make_gallery  # noqa: PLC0415 - as above

    shown = {
        result.specification.cell: store.folder(result.specification)
        for result in results
        if result.specification.seed == 0 and result.specification.cell.percent in {0, GALLERY_PERCENT}
    }
    return make_gallery(dataset, shown)
