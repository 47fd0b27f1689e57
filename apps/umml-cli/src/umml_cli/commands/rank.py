"""`umml rank`: which training samples a method finds hard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from umml_cli.commands.data_options import (
    FirstRowOption,
    QueriesOption,
    SplitSeedOption,
    StratifiedOption,
    TrainingOption,
)
from umml_cli.console import make_console, print_notes
from umml_cli.terms import Device, Precision


def rank(
    data: Annotated[
        str, typer.Argument(help="A data file (.npz, .h5, .mat), or the name of a built-in data set: emoji.")
    ],
    method: Annotated[str, typer.Option(help="See `umml methods`; in upper or lower case.")] = "dadh",
    preset: Annotated[
        str | None, typer.Option(help="Option set of the method, for example small or mirflickr25k.")
    ] = None,
    bits: Annotated[int | None, typer.Option(min=1, help="Code length.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training set.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[METHOD.]NAME=VALUE", help="Change any option of the method."),
    ] = None,
    last: Annotated[
        int,
        typer.Option(
            min=1, help="Number of last epochs over which a sample's loss is averaged; 1: only the last."
        ),
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    precision: Annotated[Precision, typer.Option(help="Floating-point type of training.")] = "float32",
    device: Annotated[Device, typer.Option(help="Where to train.")] = "cpu",
    split_seed: SplitSeedOption = None,
    queries: QueriesOption = None,
    training: TrainingOption = None,
    stratified: StratifiedOption = False,
    first_row: FirstRowOption = None,
    out: Annotated[Path, typer.Option(help="The file to write, .csv or .npz.")] = Path("scores.csv"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Train on all pairs and write one loss for each training sample: its named terms and their sum.

    umml unpair --select hardest --scores FILE then removes the partners of the samples with the highest loss.

    Example: umml rank wikipedia.npz --method dadh --preset small --out scores.csv
    """
    from umml_cli.errors import UserError
    from umml_cli.inputs.data_sources import drawn_split, open_data
    from umml_cli.inputs.method_options import (
        check_labels,
        labelled_options,
        method_config,
        method_version,
        named_method,
        options_of,
        with_named,
    )
    from umml_cli.runs.cells import Cell
    from umml_cli.runs.progress import grid_progress
    from umml_cli.runs.ranking import check_can_rank, rank_samples
    from umml_cli.runs.sample_scores import check_suffix, describe_scores
    from umml_cli.runs.specification import RunSpecification

    console = make_console()
    check_suffix(out)
    if out.exists() and not overwrite:
        raise UserError(f"{out} exists; choose another name or pass --overwrite.")
    name, database = labelled_options(method)
    check_can_rank(name)
    options = with_named(options_of(set_ or [], name), {"bits": bits, "epochs": epochs, **database})
    config = method_config(name, preset=preset, options=options)
    split = drawn_split(split_seed, queries=queries, training=training, stratified=stratified)
    dataset = open_data(data, split=split, first_row=first_row, needs_labels=False)
    check_labels(named_method(name), dataset)
    print_notes(console, dataset.findings)
    specification = RunSpecification.of(
        name,
        config,
        method_version=method_version(name),
        dataset=dataset.name,
        data_digest=dataset.digest,
        cell=Cell.of("paired"),
        seed=seed,
        precision=precision,
        device=device,
    )
    specification.check_batch(len(dataset.split.train))
    with grid_progress(console, [specification], [specification]) as on_event:
        scores = rank_samples(specification, dataset, last=last, on_event=on_event)
    scores.save(out)
    table = Table("loss of a sample", "mean", "10%", "median", "90%")
    for line in describe_scores(scores):
        table.add_row(*line)
    console.print(table)
    console.print(
        f"{out}: {len(scores.rows):,} training rows, mean of the last {scores.made_with.last} of "
        f"{specification.epochs} epochs",
        soft_wrap=True,
    )
