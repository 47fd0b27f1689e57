"""From a list of runs to their results, tables, figures and report in one output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_files import remove_leftovers

from umml_cli.errors import UserError
from umml_cli.grid.experiment import built_in_experiment, paper_names
from umml_cli.grid.reproduction import FILE, Reproduction
from umml_cli.inputs.data_sources import BUILT_IN, open_data
from umml_cli.report.figures import draw_figures, save_figure, share_figure
from umml_cli.report.figures.compared import slug
from umml_cli.report.paper_tables import paper_tables
from umml_cli.report.run_details import open_store
from umml_cli.report.table_formats import to_csv, to_latex, to_markdown
from umml_cli.results.paper_claims import find, findings_markdown
from umml_cli.results.series import collect, data_of, runs_csv, summary_csv
from umml_cli.runs.files import write_text
from umml_cli.runs.store import RUNS, RunStore
from umml_cli.terms import FIGURE_TITLES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.grid.experiment import Experiment, TableKind
    from umml_cli.report.page import Exhibit
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult
    from umml_cli.terms import Selection

TITLE = "Unpaired training of cross-modal hashing: the UMML paper's experiments"
TABLE_TITLES: Mapping[TableKind, str] = {
    "cells": "mAP in every condition",
    "best": "Best scheme of each share",
    "unpaired": "Training without a single pair",
    "classes": "mAP by class",
    "completion": "mAP with completed pairs",
    "leaderboard": "Every method beside the others",
}


def write_outputs(
    title: str,
    results: Sequence[RunResult],
    *,
    datasets: Mapping[str, PairedDataset],
    out: Path,
    exhibited: Mapping[str, tuple[Experiment, Collection[str]]] | None = None,
    selection: Selection = "last",
    store: RunStore | None = None,
) -> list[Series]:
    """Write numbers, tables and figures of experiments, and the report, from the runs that are complete.

    Args:
        title: heading of the report.
        results: finished runs.
        datasets: data sets by name, for retrievals and label names; those that are missing are skipped.
        out: output folder.
        exhibited: name to an experiment to show in the paper's layout, and the settings of its runs.
        selection: which epoch stands in tables and figures.
        store: where the runs lie; None: in `out/runs`.

    Returns:
        The series, one for each data set, method and setting.
    """
    from umml_cli.report.page import Section, render_report  # noqa: PLC0415 - templates only when there is something to show
    from umml_cli.report.run_pages import RunPages  # noqa: PLC0415 - as above

    for folder in (out, out / "tables", out / "figures"):
        remove_leftovers(folder)
    store = store or RunStore(out / RUNS)
    exhibits = []
    all_series = collect(results, selection=selection, store=store)
    exhibited = exhibited or {}
    for name, (experiment, settings) in exhibited.items():
        own = [
            result
            for series in all_series if series.setting_id in settings
            for result in series.results if result.specification.seed < experiment.seeds
        ]  # fmt: skip
        own_series = collect(own, selection=selection, store=store)
        heads = "" if is_of_paper(name, experiment) or len(exhibited) == 1 else f"{experiment.title}: "
        exhibits += _write_exhibit(name, experiment, own_series, datasets=datasets, out=out, heads=heads)
    sections, pages = [], RunPages()
    taken: set[str] = set()
    for series in all_series:
        name = f"{series.dataset}-{series.method}-{series.bits}"
        name = f"{name}-{series.setting_id[:8]}" if name in taken else name
        taken.add(name)
        figure_svg = save_figure(share_figure(series), out / "figures" / name)
        dataset = data_of(series, datasets)
        sections.append(Section(series=series, figure_svg=figure_svg, results=series.results))
        for result in series.results:
            pages.add(result, store.folder(result.specification), dataset, series.variant)
    findings = find(all_series)
    if findings:
        write_text(out / "findings.md", findings_markdown(findings))
    of_paper = any(is_of_paper(name, experiment) for name, (experiment, _) in exhibited.items())
    report = render_report(title, sections, exhibits, pages, findings if of_paper else ())
    write_text(out / "report.html", report)
    write_text(out / "summary.csv", summary_csv(all_series))
    write_text(out / "runs.csv", runs_csv(results))
    return all_series


def rewrite_outputs(folder: Path, selection: Selection | None) -> list[str]:
    """Write the outputs of a folder again, from its runs that are complete.

    Args:
        folder: of `umml reproduce`, which knows its experiments; or any other with runs.
        selection: which epoch to show; None: as before.

    Returns:
        A sentence for each data set that is skipped.
    """
    if (folder / FILE).exists():
        reproduction = Reproduction.load(folder)
        if selection is not None:
            reproduction = reproduction.model_copy(update={"selection": selection})
        datasets, notes = reproduction.open_data({})
        write_reproduction(reproduction, folder, datasets)
        return notes
    store = open_store(folder)
    results = [result for each in store.folders() if (result := each.read_result()) is not None]
    if not results:
        raise UserError(f"{store.root} holds no complete run; train first.")
    names = dict.fromkeys(result.specification.dataset for result in results)
    datasets = {name: open_data(name) for name in names if name in BUILT_IN}
    write_outputs(
        "Runs of cross-modal hashing",
        results,
        datasets=datasets,
        out=folder,
        selection=selection or "last",
        store=store,
    )
    return [
        f"no retrievals of {name}: the runs do not say where it lies."
        for name in names
        if name not in datasets
    ]


def write_reproduction(
    reproduction: Reproduction, out: Path, datasets: Mapping[str, PairedDataset]
) -> list[Series]:
    """Write numbers, tables, figures and report of a reproduction from its runs that are complete.

    Args:
        reproduction: experiments and their runs.
        out: output folder.
        datasets: data sets by name, as for `write_outputs`.
    """
    own = [each.title for name, each in reproduction.experiments.items() if not is_of_paper(name, each)]
    return write_outputs(
        "; ".join(dict.fromkeys(own)) or TITLE,
        list(RunStore(out / RUNS).results(reproduction.specifications)),
        datasets=datasets,
        out=out,
        exhibited={
            name: (experiment, reproduction.settings[name])
            for name, experiment in reproduction.experiments.items()
        },
        selection=reproduction.selection,
    )


def is_of_paper(name: str, experiment: Experiment) -> bool:
    """Whether an experiment is one of the paper's, perhaps with fewer methods, rather than somebody's own."""
    return name in paper_names() and experiment.title == built_in_experiment(name).title


def _write_exhibit(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    *,
    datasets: Mapping[str, PairedDataset],
    out: Path,
    heads: str,
) -> list[Exhibit]:
    """Write the tables and figures of one experiment, and return them for the report.

    Args:
        name: the experiment's name.
        experiment: what to show.
        all_series: the numbers of its runs.
        datasets: data sets by name.
        out: output folder.
        heads: what the headings begin with; a paper's experiment is headed by its own title.
    """
    from umml_cli.report.page import Exhibit  # noqa: PLC0415 - as above

    label_names = {
        series.dataset: dataset.label_names
        for series in all_series
        if (dataset := data_of(series, datasets)) is not None
    }

    def head(kind: str, *, several: bool = False) -> str:
        if is_of_paper(name, experiment):
            return f"{experiment.title}: {kind}" if several else experiment.title
        return heads + (kind if heads or kind.startswith("mAP") else kind[0].upper() + kind[1:])

    exhibits = []
    for table in paper_tables(name, experiment, all_series, label_names=label_names):
        for suffix, render in ((".md", to_markdown), (".csv", to_csv), (".tex", to_latex)):
            write_text(out / "tables" / f"{table.name}{suffix}", render(table))
        title = head(TABLE_TITLES[experiment.table or "cells"])
        exhibits.append(Exhibit(title + table.title.removeprefix(experiment.title), table=table))
    shown = experiment.shown(all_series)
    kinds = experiment.figure or ()
    for kind in kinds if shown else ():
        for suffix, figure in draw_figures(kind, shown, label_names=label_names):
            file_name = slug(name, kind if len(kinds) > 1 else "", suffix)
            svg = save_figure(figure, out / "figures" / file_name)
            title = head(FIGURE_TITLES[kind], several=len(kinds) > 1)
            exhibits.append(Exhibit(f"{title} ({suffix})" if suffix else title, figure_svg=svg))
    return exhibits
