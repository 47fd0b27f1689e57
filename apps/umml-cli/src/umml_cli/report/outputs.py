"""From a list of runs to their results, tables, figures and report in one output folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmh_files import remove_leftovers

from umml_cli.errors import UserError, refuse
from umml_cli.grid.experiment import built_in_experiment, paper_names
from umml_cli.grid.reproduction import FILE, Reproduction
from umml_cli.inputs.data_sources import BUILT_IN, open_data, open_sources
from umml_cli.inputs.picture_files import picture_roots
from umml_cli.report.figures import draw_figures, save_figure, share_figure
from umml_cli.report.figures.compared import slug
from umml_cli.report.latex_document import FILE as DOCUMENT
from umml_cli.report.latex_document import LatexFigure, latex_document
from umml_cli.report.latex_table import to_latex
from umml_cli.report.paper_tables import cells_tables_of, conditions_table, paper_tables
from umml_cli.report.run_details import open_store
from umml_cli.report.table_formats import to_csv, to_markdown
from umml_cli.results.facts import facts
from umml_cli.results.paper_claims import find, findings_markdown
from umml_cli.results.series import collect, data_of, runs_csv, summary_csv
from umml_cli.runs.files import write_text
from umml_cli.runs.store import RUNS, RunFolder, RunStore
from umml_cli.terms import FIGURE_TITLES, SCHEME_TITLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cmh_data import PairedDataset

    from umml_cli.grid.experiment import Experiment, TableKind
    from umml_cli.report.page import Exhibit, Section
    from umml_cli.report.paper_tables.table import PaperTable
    from umml_cli.results.paper_claims import FindingRow
    from umml_cli.results.series import Series
    from umml_cli.runs.store import RunResult
    from umml_cli.terms import FigureKind, LatexWidth, Selection, Spread

FIGURES = "figures"
TITLE = "Unpaired training of cross-modal hashing: the UMML paper's experiments"
TABLE_TITLES: Mapping[TableKind, str] = {
    "cells": "mAP in every condition",
    "best": "Best scheme of each share",
    "unpaired": "Training without a single pair",
    "classes": "mAP by class",
    "completion": "mAP with completed pairs",
    "leaderboard": "Every method beside the others",
    "ranked": "The hardest and easiest samples beside rows in order",
}


@dataclass(frozen=True)
class Written:
    """What was written, for whoever wants to print it.

    Args:
        series: one for each data set, method and setting.
        tables: experiment to its tables; of one that shows figures alone, what they are drawn from.
        notes: a sentence for each thing that could not be shown.
    """

    series: list[Series]
    tables: dict[str, list[PaperTable]]
    notes: list[str]


def write_outputs(
    title: str,
    results: Sequence[RunResult],
    *,
    datasets: Mapping[str, PairedDataset],
    out: Path,
    exhibited: Mapping[str, tuple[Experiment, Collection[str]]] | None = None,
    selection: Selection = "last",
    spread: Spread = "sd",
    latex_width: LatexWidth = "page",
    figures: Iterable[FigureKind] = (),
    pictures: Mapping[str, Path] | None = None,
    store: RunStore | None = None,
) -> Written:
    """Write numbers, tables and figures of experiments, and the report, from the runs that are complete.

    Args:
        title: heading of the report.
        results: finished runs.
        datasets: data sets by name, for retrievals and label names; those that are missing are skipped.
        out: output folder.
        exhibited: name to an experiment to show in the paper's layout, and the settings of its runs.
        selection: which epoch stands in tables and figures.
        spread: what stands behind ± and bars.
        latex_width: what the LaTeX tables fit.
        figures: kinds of figure to draw of all runs together, whatever experiment they are of.
        pictures: data set to the folder or zip file in which its ids are paths.
        store: where the runs lie; None: in `out/runs`.
    """
    from umml_cli.report.page import Exhibit, Section, render_report  # noqa: PLC0415 - templates only when there is something to show
    from umml_cli.report.run_pages import RunPages  # noqa: PLC0415 - as above

    for folder in (out, out / "tables", out / FIGURES):
        remove_leftovers(folder)
    store = store or RunStore(out / RUNS)
    exhibits: list[Exhibit] = []
    tables: dict[str, list[PaperTable]] = {}
    all_series = collect(results, selection=selection, spread=spread, store=store)
    exhibited = exhibited or {}
    titles = Counter(experiment.title for experiment, _ in exhibited.values())
    for name, (experiment, settings) in exhibited.items():
        if titles[experiment.title] > 1:
            experiment = experiment.model_copy(update={"title": f"{experiment.title} ({name})"})  # noqa: PLW2901
        own = [
            result
            for series in all_series if series.setting_id in settings
            for result in series.results if result.specification.seed < experiment.seeds
        ]  # fmt: skip
        own_series = collect(own, selection=selection, spread=spread, store=store)
        label_names = _label_names(own_series, datasets)
        tables[name] = paper_tables(name, experiment, own_series, label_names=label_names)
        for table in tables[name]:
            _write_table(table, out / "tables", latex_width)
        heads = "" if is_of_paper(name, experiment) or len(exhibited) == 1 else f"{experiment.title}: "
        exhibits += [
            *_table_exhibits(name, experiment, tables[name], heads),
            *_figure_exhibits(name, experiment, own_series, label_names, out=out, heads=heads),
        ]
        tables[name] = tables[name] or cells_tables_of(name, experiment, own_series)
    for kind in figures:
        names = _label_names(all_series, datasets)
        for suffix, figure in draw_figures(kind, all_series, label_names=names):
            path = f"{FIGURES}/{slug(kind, suffix)}"
            svg = save_figure(figure, out / path)
            exhibits.append(Exhibit(_figure_title(kind, suffix), figure_svg=svg, figure_path=path))
    sections, pages = [], RunPages(pictures)
    taken: set[str] = set()
    for series in all_series:
        name = slug(series.dataset, series.method, str(series.bits))
        name = f"{name}-{series.setting_id[:8]}" if name in taken else name
        taken.add(name)
        path = f"{FIGURES}/{name}"
        figure_svg = save_figure(share_figure(series), out / path)
        dataset = data_of(series, datasets)
        sections.append(
            Section(series=series, figure_svg=figure_svg, figure_path=path, results=series.results)
        )
        for result in series.results:
            pages.add(result, store.folder(result.specification), dataset, series.variant)
    findings = find(all_series)
    if findings:
        write_text(out / "findings.md", findings_markdown(findings))
    of_paper = any(is_of_paper(name, experiment) for name, (experiment, _) in exhibited.items())
    findings = findings if of_paper else []
    write_text(out / "report.html", render_report(title, sections, exhibits, pages, findings))
    write_text(out / DOCUMENT, _document(title, sections, exhibits, findings))
    write_text(out / "summary.csv", summary_csv(all_series))
    write_text(out / "runs.csv", runs_csv(results))
    return Written(all_series, tables, pages.notes)


def _document(
    title: str,
    sections: Sequence[Section],
    exhibits: Sequence[Exhibit],
    findings: Sequence[FindingRow],
) -> str:
    """The tables and figures of the report for LaTeX; the numbers of all runs where they have no table."""
    tables = [exhibit.table for exhibit in exhibits if exhibit.table is not None]
    figures = [LatexFigure(one.figure_path, one.title) for one in exhibits if one.figure_path]
    figures += [LatexFigure(one.figure_path, one.caption) for one in sections if one.has_figure]
    return latex_document(
        title,
        facts([result for section in sections for result in section.results]),
        tables or [conditions_table("conditions", title, [section.series for section in sections])],
        figures,
        findings,
    )


def rewrite_outputs(
    folder: Path,
    shown: Mapping[str, Any],
    *,
    figures: Iterable[FigureKind] = (),
    data: Iterable[str] = (),
    pictures: Iterable[str] = (),
) -> list[str]:
    """Write the outputs of a folder again, from its runs that are complete.

    Args:
        folder: of `umml reproduce`, which knows its experiments; any other with runs; or of a single run.
        shown: "selection", "spread" and "latex_width" to what they are from now on; None: as before.
        figures: more kinds of figure.
        data: `NAME=PATH` of data sets, where the folder does not say where they lie, or they have moved.
        pictures: `NAME=PATH` of folders or zip files in which the ids of a data set are paths.

    Returns:
        A sentence for each thing that could not be shown.

    Raises:
        UserError: there is no run to show, `data` or `pictures` name what the runs do not, or a single run is
            to be shown as several are.
    """
    sources = open_sources(data)
    given = {name: source.dataset for name, source in sources.items()}
    if (folder / FILE).exists():
        reproduction = Reproduction.load(folder).shown_as(**shown).with_figures(figures)
        _check_names(given, reproduction.locations)
        places = {name: source.location for name, source in sources.items()}
        reproduction = reproduction.lying_at(places).with_pictures(pictures)
        reproduction.save(folder)
        datasets, notes = reproduction.open_data(given)
        return notes + write_reproduction(reproduction, folder, datasets).notes
    if RunFolder(folder).specification.exists():
        of_several = {f"--{name.replace('_', '-')}": value for name, value in shown.items()}
        refuse(
            {**of_several, "--figure": tuple(figures)},
            f"shows several runs, but {folder} is the folder of a single run; give the folder above it",
        )
        return _rewrite_run(RunFolder(folder), given, pictures)
    store = open_store(folder)
    results = [result for each in store.folders() if (result := each.read_result()) is not None]
    if not results:
        raise UserError(f"{store.root} holds no complete run; train first.")
    results.sort(key=_in_order)
    names = dict.fromkeys(result.specification.dataset for result in results)
    _check_names(given, names)
    datasets = {name: open_data(name) for name in names if name in BUILT_IN} | given
    written = write_outputs(
        "Runs of cross-modal hashing",
        results,
        datasets=datasets,
        out=folder,
        figures=figures,
        pictures=picture_roots(pictures, names),
        store=store,
        **{name: value for name, value in shown.items() if value is not None},
    )
    notes = [_without_examples(name) for name in names if name not in datasets]
    for name, dataset in datasets.items():
        own = [result.specification for result in results if result.specification.dataset == name]
        if changed := sum(specification.data_digest != dataset.digest for specification in own):
            notes.append(_changed(name, f"{changed} of {len(own)} runs"))
    return notes + written.notes


def _without_examples(name: str) -> str:
    return f"no retrieval examples of {name}: the runs do not say where it lies; give --data {name}=PATH."


def _changed(name: str, which: str) -> str:
    return f"no retrieval examples of {which} on {name}: its data are not those that were trained on."


def _check_names(given: Iterable[str], names: Iterable[str]) -> None:
    names = list(names)
    for name in given:
        if name not in names:
            raise UserError(f"--data names {name}, but the runs are of {', '.join(names)}.")


def _in_order(result: RunResult) -> tuple[str, str, int, int, float, int]:
    """Runs in the order of the tables, whatever their folders are called."""
    spec = result.specification
    place = list(SCHEME_TITLES).index(spec.cell.scheme)
    return spec.dataset, spec.label, spec.bits, place, spec.cell.percent, spec.seed


def _rewrite_run(folder: RunFolder, given: Mapping[str, PairedDataset], pictures: Iterable[str]) -> list[str]:
    from umml_cli.report.run_report import write_run_report  # noqa: PLC0415 - as above

    result = folder.read_result()
    if result is None:
        raise UserError(f"The run {folder.path} is not complete; train it to its end first.")
    spec = result.specification
    _check_names(given, [spec.dataset])
    dataset = open_data(spec.dataset) if spec.dataset in BUILT_IN else given.get(spec.dataset)
    root = picture_roots(pictures, [spec.dataset]).get(spec.dataset)
    if dataset is None:
        return [_without_examples(spec.dataset), *write_run_report(result, folder, None)[1]]
    if dataset.digest != spec.data_digest:
        write_run_report(result, folder, None)
        return [_changed(spec.dataset, "the run")]
    return write_run_report(result, folder, dataset, pictures=root)[1]


def write_reproduction(
    reproduction: Reproduction, out: Path, datasets: Mapping[str, PairedDataset]
) -> Written:
    """Write numbers, tables, figures and report of a reproduction from its runs that are complete.

    Args:
        reproduction: experiments and their runs.
        out: output folder.
        datasets: data sets by name, as for `write_outputs`.

    Raises:
        UserError: none is complete.
    """
    results = list(RunStore(out / RUNS).results(reproduction.specifications))
    if not results:
        raise UserError(f"No run of {out} is complete yet; the command that began it goes on with them.")
    own = [each.title for name, each in reproduction.experiments.items() if not is_of_paper(name, each)]
    return write_outputs(
        "; ".join(dict.fromkeys(own)) or TITLE,
        results,
        datasets=datasets,
        out=out,
        exhibited={
            name: (experiment, reproduction.settings[name])
            for name, experiment in reproduction.experiments.items()
        },
        selection=reproduction.selection,
        spread=reproduction.spread,
        latex_width=reproduction.latex_width,
        pictures=reproduction.pictures,
    )


def written_to(folder: Path) -> list[str]:
    """Where tables, figures and report of an output folder lie, of those that it has."""
    written = [("Tables", "tables"), ("Figures", FIGURES), ("Report", "report.html")]
    return [f"{title}: {folder / name}" for title, name in written if (folder / name).exists()]


def is_of_paper(name: str, experiment: Experiment) -> bool:
    """Whether an experiment is one of the paper's, perhaps with fewer methods, rather than somebody's own."""
    return name in paper_names() and experiment.title == built_in_experiment(name).title


def _label_names(
    all_series: Iterable[Series], datasets: Mapping[str, PairedDataset]
) -> dict[str, Sequence[str]]:
    """Data set to the names of its labels, of those that are there as the runs saw them."""
    return {
        series.dataset: dataset.label_names
        for series in all_series
        if (dataset := data_of(series, datasets)) is not None
    }


def _write_table(table: PaperTable, folder: Path, latex_width: LatexWidth) -> None:
    written = {".md": to_markdown(table), ".csv": to_csv(table), ".tex": to_latex(table, latex_width)}
    for suffix, text in written.items():
        write_text(folder / f"{table.name}{suffix}", text)


def _head(name: str, experiment: Experiment, kind: str, heads: str, *, several: bool = False) -> str:
    """The heading of a table or figure; a paper's experiment is headed by its own title."""
    if is_of_paper(name, experiment):
        return f"{experiment.title}: {kind}" if several else experiment.title
    return heads + (kind if heads or kind.startswith("mAP") else kind[0].upper() + kind[1:])


def _table_exhibits(
    name: str, experiment: Experiment, tables: Iterable[PaperTable], heads: str
) -> Iterator[Exhibit]:
    from umml_cli.report.page import Exhibit  # noqa: PLC0415 - as above

    for table in tables:
        title = _head(name, experiment, TABLE_TITLES[experiment.table or "cells"], heads)
        yield Exhibit(title + table.title.removeprefix(experiment.title), table=table)


def _figure_title(kind: FigureKind, suffix: str) -> str:
    return f"{FIGURE_TITLES[kind]} ({suffix})" if suffix else FIGURE_TITLES[kind]


def _figure_exhibits(
    name: str,
    experiment: Experiment,
    all_series: Sequence[Series],
    label_names: Mapping[str, Sequence[str]],
    *,
    out: Path,
    heads: str,
) -> Iterator[Exhibit]:
    """Write the figures of an experiment; "curves" or "classes" alone has the experiment's name."""
    from umml_cli.report.page import Exhibit  # noqa: PLC0415 - as above

    shown = experiment.shown(all_series)
    kinds = experiment.figure or ()
    of_the_paper = {"curves", "classes"}
    for kind in kinds if shown else ():
        alone = kind in of_the_paper and len(of_the_paper.intersection(kinds)) == 1
        try:
            figures = draw_figures(kind, shown, label_names=label_names)
        except UserError:  # later runs may make it possible
            continue
        for suffix, figure in figures:
            path = f"{FIGURES}/{slug(name, '' if alone else kind, suffix)}"
            svg = save_figure(figure, out / path)
            title = _head(name, experiment, FIGURE_TITLES[kind], heads, several=len(kinds) > 1)
            title = f"{title} ({suffix})" if suffix else title
            yield Exhibit(title, figure_svg=svg, figure_path=path)
