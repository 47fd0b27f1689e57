"""`umml train`: one method on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from umml_cli.commands.data_options import (
    FirstRowOption,
    QueriesOption,
    SplitSeedOption,
    StratifiedOption,
    TrainingOption,
    ValidationOption,
)
from umml_cli.commands.showing_options import PictureFolderOption
from umml_cli.console import make_console, print_notes
from umml_cli.terms import CompletionChoice, Device, PrecisionOption, Selected


def train(
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
    unpaired_images: Annotated[
        float, typer.Option(help="Percentage of training images whose text is removed.")
    ] = 0,
    unpaired_text: Annotated[
        float, typer.Option(help="Percentage of training texts whose image is removed.")
    ] = 0,
    discard: Annotated[float, typer.Option(help="Percentage of training pairs left out altogether.")] = 0,
    select: Annotated[
        Selected,
        typer.Option(
            help="Which rows lose their partner first: in the order of the data, or those with the "
            "highest or lowest loss in a training on all pairs, which runs before."
        ),
    ] = "first",
    complete: Annotated[
        CompletionChoice,
        typer.Option(
            help="Train with items of other rows instead of missing ones: of rows with the most similar "
            "labels, of the nearest pairs (neighbour), or what suits the method (auto)."
        ),
    ] = "none",
    neighbours: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs that may stand in for a missing item by neighbour; 5 if not given."),
    ] = None,
    validation: ValidationOption = 0,
    image_encoder: Annotated[
        str | None,
        typer.Option(help="Encoder of the images where the data hold pixels; see `umml features --list`."),
    ] = None,
    random_crops: Annotated[
        bool,
        typer.Option(
            "--random-crops", help="Train on random crops of the images, half of them flipped, in every step."
        ),
    ] = False,
    discard_incomplete: Annotated[
        bool,
        typer.Option(
            "--discard-incomplete",
            help="Leave out the training rows that lack an image or a text, to compare with using them.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    precision: Annotated[
        PrecisionOption,
        typer.Option(help="Floating-point type of training; auto: bf16 where it is faster in a trial."),
    ] = "float32",
    device: Annotated[Device, typer.Option(help="Where to train.")] = "cpu",
    split_seed: SplitSeedOption = None,
    queries: QueriesOption = None,
    training: TrainingOption = None,
    stratified: StratifiedOption = False,
    first_row: FirstRowOption = None,
    pictures: PictureFolderOption = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs"),
) -> None:
    """Train a method, write its codes and weights, and print its mAP.

    Data without labels train unsupervised methods, and are evaluated by how well a query finds its own item.

    An interrupted training continues where it stopped; a finished one is shown without training again.

    Example: umml train wikipedia.npz --method dadh --preset small --unpaired-images 20

    Example: umml train mine.npz --split-seed 0 --queries 500 --stratified

    Example: umml train photos.h5 --discard-incomplete --out discarded
    """
    from umml_cli.commands.features import show_progress
    from umml_cli.errors import UserError
    from umml_cli.inputs.data_sources import drawn_split, open_data, without_incomplete
    from umml_cli.inputs.method_options import (
        check_labels,
        labelled_options,
        method_config,
        method_version,
        named_method,
        options_of,
        with_named,
    )
    from umml_cli.inputs.pixels import encode_pixels
    from umml_cli.report.run_report import write_run_report
    from umml_cli.report.run_table import result_table
    from umml_cli.runs.cells import Cell
    from umml_cli.runs.completion import choose_completion
    from umml_cli.runs.perform_here import perform_here
    from umml_cli.runs.run_codes import RunCodes
    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunStore
    from umml_cli.runs.validation import rows_of_run

    console = make_console()
    cell = Cell(unpaired_images=unpaired_images, unpaired_text=unpaired_text, discard=discard, select=select)
    method, database = labelled_options(method)  # an alias makes the same run
    options = with_named(options_of(set_ or [], method), {"bits": bits, "epochs": epochs, **database})
    config = method_config(method, preset=preset, options=options)
    split = drawn_split(split_seed, queries=queries, training=training, stratified=stratified)
    dataset = open_data(data, split=split, first_row=first_row, needs_labels=False)
    check_labels(named_method(method), dataset)
    pixels = None
    if random_crops and image_encoder is None:
        raise UserError("--random-crops needs --image-encoder and data with pixels.")
    if image_encoder is not None:
        dataset, pixels = encode_pixels(
            dataset, image_encoder, out, say=console.print, progress=show_progress
        )
    print_notes(console, dataset.findings)
    if discard_incomplete:
        dataset, count = without_incomplete(dataset)
        print_notes(console, [f"{count} training rows that lack an image or a text are left out"])
    if select != "first":
        from umml_cli.runs.ranking import check_can_rank

        check_can_rank(method)
    plan = cell.plan(len(rows_of_run(dataset, validation).split.train))
    completion = choose_completion(
        complete,
        named_method(method),
        has_labels=dataset.label.shape[1] > 0,
        n_pairs=plan.counts.true_pairs,
    )
    if neighbours is not None and completion != "neighbour":
        raise UserError(
            f"--neighbours {neighbours} would change nothing: missing items are not completed by neighbour; "
            "leave it out, or pass --complete neighbour."
        )
    if complete == "auto" and completion == "none" and named_method(method).needs_pairs:
        left = f"{method} is trained with missing items as they are; --complete label or neighbour"
        print_notes(console, [f"{left} completes them all the same."])
    specification = RunSpecification.of(
        method,
        config,
        method_version=method_version(method),
        dataset=dataset.name,
        data_digest=dataset.digest,
        cell=Cell.model_validate({**cell.model_dump(), "completed": completion != "none"}),
        completion=completion,
        neighbours=neighbours,
        crops="random" if random_crops else None,
        seed=seed,
        precision="float32" if precision == "auto" else precision,
        device=device,
        validation=validation,
    )
    result = perform_here(
        specification,
        dataset,
        out=out,
        console=console,
        views_of=None if pixels is None else pixels.crops_of,
        faster_precision=precision == "auto",
    )
    console.print(result_table(result))
    folder = RunStore(out).folder(result.specification)
    report, notes = write_run_report(result, folder, dataset, pictures=pictures)
    print_notes(console, RunCodes.load(folder.codes).collapsed() + notes)
    console.print(f"Run folder: {folder.path}    Report: {report}", soft_wrap=True)
