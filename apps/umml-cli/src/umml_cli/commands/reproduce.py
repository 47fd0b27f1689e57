"""`umml reproduce`: tables and figures of the paper beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from umml_cli.commands.data_options import ValidationOption
from umml_cli.commands.showing_options import (
    FigureOption,
    LatexWidthOption,
    PicturesOption,
    SelectionOption,
    SpreadOption,
    figure_kinds,
)
from umml_cli.console import make_console, print_notes
from umml_cli.terms import CompletionChoice, Device, PrecisionOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cmh_data import PairedDataset

    from umml_cli.grid.experiment import Experiment
    from umml_cli.grid.reproduction import Reproduction

NOTHING = (
    "There is nothing to train: none of these methods can complete the cells on these data, or the cells "
    "have no percentages; give others in [cells]."
)


def reproduce(
    names: Annotated[
        list[str],
        typer.Argument(
            help="table3 ... table9, figure5 ... figure10, all, or a file of your own: grid.toml."
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A data set. Repeatable. A built-in one: emoji."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "--methods",
            help="Only this method, also one that the experiment does not have: dadh,mine. Repeatable.",
        ),
    ] = None,
    bits: Annotated[list[int] | None, typer.Option(min=1, help="Code length. Repeatable.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repetitions, seeds 0, 1, ...")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of every method.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="[METHOD.]NAME=VALUE", help="Change an option of every method, or of one."
        ),
    ] = None,
    selection: SelectionOption = None,
    spread: SpreadOption = None,
    figure: FigureOption = None,
    latex_width: LatexWidthOption = None,
    pictures: PicturesOption = None,
    evaluate_every: Annotated[
        int | None, typer.Option(min=0, help="Epochs between two evaluations; 0: only after the last.")
    ] = None,
    complete: Annotated[
        CompletionChoice,
        typer.Option(
            help="Train each condition with missing items a second time, with items of other rows in "
            "their place."
        ),
    ] = "none",
    validation: ValidationOption = 0,
    executor: Annotated[str, typer.Option(help="local, ray, or ray:ADDRESS of a cluster.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; one for each core or GPU if not given.")
    ] = None,
    gpus_per_run: Annotated[
        float | None,
        typer.Option(min=0, help="On Ray: share of a GPU that a run takes; with --device cuda 1."),
    ] = None,
    precision: Annotated[
        PrecisionOption,
        typer.Option(help="Floating-point type of training; auto: bf16 where it is faster in a trial."),
    ] = "float32",
    device: Annotated[Device, typer.Option(help="Where to train.")] = "cpu",
    plan: Annotated[
        bool,
        typer.Option("--plan", "--dry-run", help="Show what would be run and what it takes; run nothing."),
    ] = False,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep the trained weights of every run.")
    ] = False,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, help="Minimum time between two checkpoints of a run.")
    ] = 1,
    out: Annotated[Path, typer.Option(help="Folder for runs, tables, figures and report.")] = Path(
        "umml-reproduce"
    ),
) -> None:
    """Run experiments of the UMML paper, or your own, and put each number beside the published one.

    Cells that several tables show are trained once. Interrupted at any moment and started again, it continues
    and ends with the same tables.

    Example: umml reproduce table3 --methods dadh,mine --data emoji --figure precision-recall --figure top-n

    Example: umml reproduce table3 table7 --data mirflickr25k=mir.h5 --data nuswide-tc21=nus.h5 --seeds 3
    """
    from umml_cli.errors import UserError
    from umml_cli.grid.execution import run_grid
    from umml_cli.grid.executor import make_executor
    from umml_cli.grid.experiment import find_experiments
    from umml_cli.grid.planning import outline, plan_table
    from umml_cli.grid.reproduction import Reproduction
    from umml_cli.grid.specify import refuse_unused, with_own_methods, without_learned
    from umml_cli.inputs.data_sources import open_sources
    from umml_cli.inputs.method_options import named_label, overrides_of
    from umml_cli.runs.files import folder_lock
    from umml_cli.runs.precision import PrecisionChoice
    from umml_cli.runs.store import RUNS, RunStore

    console = make_console()
    methods = [named_label(name) for given in method or () for name in given.split(",")]
    found = find_experiments(names)
    sources = open_sources(data or [])
    where = make_executor(
        executor,
        workers=workers,
        device=device,
        gpus_per_run=gpus_per_run,
        prepare=bool(sources) and not plan,
    )
    overrides = overrides_of(set_ or [], epochs=epochs, bits=bits)
    refuse_unused(with_own_methods(found, methods), methods=methods, overrides=overrides, data=sources)
    chosen = {
        name: each.completed(complete).with_figures(figure_kinds(figure))
        for name, experiment in with_own_methods(found, methods).items()
        if (each := experiment.choose(methods=methods, seeds=seeds, bits=bits or ())).methods
    }
    if not sources:
        if not plan:
            raise UserError(data_to_give(found.values()))
        console.print(outline(chosen))
        console.print(data_to_give(found.values()), soft_wrap=True)
        return
    datasets = {name: source.dataset for name, source in sources.items()}
    faster = PrecisionChoice(
        RunStore(out / RUNS),
        datasets,
        say=lambda line: print_notes(console, [line]),
        threads=1 if executor == "local" and device == "cpu" else None,  # as its workers have
        keep=not plan,
    )
    reproduction = Reproduction.of(
        chosen,
        sources,
        overrides=overrides,
        device=device,
        precision=faster if precision == "auto" else precision,
        evaluate_every=evaluate_every,
        validation=validation,
    ).with_pictures(pictures or ())
    print_notes(console, (f"{name}: {note}" for name, one in datasets.items() for note in one.findings))
    left_out = without_learned(chosen.values(), sources)
    if not reproduction.specifications:
        raise UserError(left_out[0] if left_out else NOTHING)
    digests = {name: one.digest for name, one in datasets.items()}
    print_notes(console, [*left_out, *reproduction.beside(out).outdated(out, digests)])
    if plan:
        console.print(plan_table(reproduction, out=out, n_workers=where.n_workers))
        return
    with folder_lock(out):
        folder = reproduction.beside(out).shown_as(
            selection=selection, spread=spread, latex_width=latex_width
        )
        folder.save(out)
        failed = run_grid(
            reproduction.specifications,
            sources=sources,
            out=out,
            console=console,
            executor=where,
            keep_weights=keep_weights,
            checkpoint_minutes=checkpoint_minutes,
        )
        if failed and not any(RunStore(out / RUNS).results(folder.specifications)):
            raise failed
        show(folder, out, datasets, chosen)
    if failed:
        raise failed


def show(
    folder: Reproduction, out: Path, datasets: Mapping[str, PairedDataset], names: Iterable[str]
) -> None:
    """Write what a folder has, and print the tables of some of its experiments."""
    from umml_cli.report.outputs import write_reproduction, written_to
    from umml_cli.report.terminal_paper_table import print_tables

    console = make_console()
    opened, notes = folder.open_data(datasets)
    written = write_reproduction(folder, out, opened)
    print_notes(console, notes + written.notes)
    print_tables(console, [table for name in names for table in written.tables[name]])
    console.print("    ".join(written_to(out)), soft_wrap=True)


def data_to_give(experiments: Iterable[Experiment]) -> str:
    """Say which data experiments ask for."""
    names = dict.fromkeys(name for experiment in experiments for name in experiment.data)
    example = " ".join(f"--data {name}=PATH" for name in names)
    return f"Give the data, {example}, or your own data instead, for example --data emoji."
