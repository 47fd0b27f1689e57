"""`umml train`: one method on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def train(
    data: Annotated[
        str, typer.Argument(help="A data file (.npz, .h5, .mat), or the name of a built-in data set: emoji.")
    ],
    method: Annotated[str, typer.Option(help="See `umml methods`.")] = "dadh",
    preset: Annotated[
        str | None, typer.Option(help="Option set of the method, for example small or mirflickr25k.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Code length.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training set.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change any option of the method.")
    ] = None,
    unpaired_images: Annotated[float, typer.Option(help="Percent of training images that keep no text.")] = 0,
    unpaired_text: Annotated[float, typer.Option(help="Percent of training texts that keep no image.")] = 0,
    discard: Annotated[float, typer.Option(help="Percent of training pairs thrown away.")] = 0,
    complete: Annotated[
        str,
        typer.Option(
            help="Train with items of other rows in the place of missing ones: none, auto, label (of rows "
            "with the most similar labels) or neighbour (of the nearest pairs)."
        ),
    ] = "none",
    seed: Annotated[int, typer.Option(help="Decides everything that is drawn.")] = 0,
    precision: Annotated[str, typer.Option(help="float32, bf16 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs"),
) -> None:
    """Train a method, write its codes and weights, and print its mAP.

    An interrupted training continues where it stopped; a finished one is shown without training again.

    Example: umml train wikipedia.npz --method dadh --preset small --unpaired-images 20
    """
    from cmh_train import find_method, make_config

    from umml_cli.inputs.data_sources import open_data
    from umml_cli.inputs.method_options import method_version, parse_options
    from umml_cli.report.run_table import result_table
    from umml_cli.runs.cells import Cell
    from umml_cli.runs.completion import check_completion, choose_completion
    from umml_cli.runs.perform_here import perform_here
    from umml_cli.runs.specification import RunSpecification
    from umml_cli.runs.store import RunStore

    console = Console(highlight=False)
    cell = Cell(unpaired_images=unpaired_images, unpaired_text=unpaired_text, discard=discard)
    given = {"bits": bits, "epochs": epochs}
    options = {
        **parse_options(set_ or []),
        **{name: value for name, value in given.items() if value is not None},
    }
    method = find_method(method).name  # an alias makes the same run
    config = make_config(method, preset=preset, options=options)
    dataset = open_data(data)
    for finding in dataset.findings:
        console.print(f"Note: {finding}", markup=False, soft_wrap=True)
    plan = cell.plan(len(dataset.split.train))
    completion = choose_completion(
        check_completion(complete),
        find_method(method),
        has_labels=dataset.label.shape[1] > 0,
        n_pairs=plan.counts.true_pairs,
    )
    if complete == "auto" and completion == "none":
        console.print(
            f"Note: {method} is trained with missing items as they are; --complete label or neighbour "
            "completes them all the same.",
            markup=False,
            soft_wrap=True,
        )
    specification = RunSpecification.model_validate({
        "dataset": dataset.name,
        "data_digest": dataset.digest,
        "method": method,
        "method_version": method_version(method),
        "options": config.model_dump(mode="json"),
        "cell": cell.model_copy(update={"completed": completion != "none"}),
        "completion": completion,
        "seed": seed,
        "precision": precision,
        "device": device,
    })  # fmt: skip
    result = perform_here(specification, dataset, out=out, console=console)
    console.print(result_table(result))
    console.print(f"Run folder: {RunStore(out).folder(specification).path}", soft_wrap=True)
