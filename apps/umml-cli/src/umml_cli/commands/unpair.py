"""`umml unpair`: write a copy of a data file in which a stated share of the training pairs is broken."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from cmh_unpair import UnpairingPlan
    from numpy.typing import NDArray


class Select(StrEnum):
    """Which rows of a block lose their partner first."""

    first = "first"
    last = "last"
    random = "random"


class Marker(StrEnum):
    """Which modality gets a column that says which items are emptied."""

    none = "none"
    text = "text"
    both = "both"


class Fill(StrEnum):
    """What an emptied item holds."""

    zero = "zero"
    mean = "mean"


def unpair(
    source: Annotated[Path, typer.Argument(help="An HDF5, MATLAB 5 or MATLAB 7.3 file of any layout.")],
    target: Annotated[
        Path | None, typer.Argument(help="The file to write; not needed with --dry-run.")
    ] = None,
    unpaired_images: Annotated[
        float, typer.Option(help="Percent of the training images that keep no text.")
    ] = 0,
    unpaired_text: Annotated[
        float, typer.Option(help="Percent of the training texts that keep no image.")
    ] = 0,
    discard: Annotated[float, typer.Option(help="Percent of the training pairs that are removed.")] = 0,
    block: Annotated[int, typer.Option(min=0, help="Rows per block; 0 takes the whole set as one.")] = 100,
    select: Annotated[Select, typer.Option(help="Which rows of a block come first.")] = Select.first,
    seed: Annotated[int | None, typer.Option(help="Decides what --select random draws.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Take the rows that the paper's released script takes.")
    ] = False,
    plan: Annotated[Path | None, typer.Option(help="A plan's JSON in place of the percentages.")] = None,
    plan_out: Annotated[Path | None, typer.Option(help="Also write the plan as JSON.")] = None,
    train: Annotated[
        str | None,
        typer.Option(metavar="FROM:TO", help="Training rows, from 0; default the file's own split."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="A named split for the training rows, see `umml data protocols`.")
    ] = None,
    marker: Annotated[
        Marker, typer.Option(help="Add a column that is 1 where an item is emptied.")
    ] = Marker.none,
    fill: Annotated[Fill, typer.Option(help="What an emptied item holds.")] = Fill.zero,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, write nothing.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw what every training row keeps (png, pdf, svg).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing target.")] = False,
) -> None:
    """Break exactly the stated share of training pairs; query and other rows stay as they are.

    Example: umml unpair mirflickr.h5 ui20.h5 --unpaired-images 20

    Example: umml unpair nus-wide-tc21-iall.mat out.mat --unpaired-text 20 --train 0:10000 --dry-run
    """
    from cmh_unpair import unpair_file

    from umml_cli.errors import UserError
    from umml_cli.report.plan_figure import label_table, strip_figure
    from umml_cli.runs.files import replacing, write_text

    console = Console(highlight=False, soft_wrap=True)
    if target is None and not dry_run:
        raise UserError("Name the file to write, or pass --dry-run.")
    if target is not None and target.exists() and not dry_run and not overwrite:
        raise UserError(f"{target} exists; choose another name or pass --overwrite.")
    rows, labels, names = training_rows(source, train=train, protocol=protocol)
    made = (
        read_plan(plan)
        if plan
        else make_plan(
            len(rows),
            published=published,
            unpaired_images=unpaired_images,
            unpaired_text=unpaired_text,
            discard=discard,
            block=block or None,
            select=select.value,
            seed=seed,
        )
    )
    console.print(made.summary())
    if labels is not None and len(labels) == len(made):
        console.print(label_table(made, labels, names))
    if picture is not None:
        with replacing(picture) as temporary:
            strip_figure(made).savefig(temporary, dpi=200)
    if plan_out is not None:
        write_text(plan_out, made.to_json())
    if dry_run or target is None:
        console.print("Nothing was written to the target (--dry-run).")
        return
    report = unpair_file(
        source, target, made, rows=rows, marker=marker.value, fill=fill.value, overwrite=overwrite
    )
    for array in report.arrays:
        console.print(f"{array.key}: {array.emptied} of {report.n_items} items emptied")
    console.print(f"{target} is written and checked.")


def training_rows(
    source: Path, *, train: str | None, protocol: str | None
) -> tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...]]:
    """The training rows of a file, and their labels and label names where the file is a whole data set."""
    import cmh_data
    import numpy as np

    from umml_cli.errors import UserError

    found = re.fullmatch(r"([0-9]+):([0-9]+)", train) if train is not None else None
    if train is not None and (found is None or int(found[1]) >= int(found[2])):
        raise UserError(f"--train takes FROM:TO with FROM below TO, for example 0:10000, not {train!r}.")
    if train is not None and protocol is not None:
        raise UserError("Give either --train or --protocol.")
    try:
        dataset = cmh_data.load(source, protocol=protocol, unlabelled="keep")
    except cmh_data.DataError as error:
        if found is None:
            raise UserError(
                f"The training rows of {source} are not known; give --train FROM:TO. "
                f"(Reading it as a data set: {error})"
            ) from error
        return np.arange(int(found[1]), int(found[2])), None, ()
    rows = dataset.split.train if found is None else np.arange(int(found[1]), int(found[2]))
    if rows.max(initial=-1) >= len(dataset.label):
        raise UserError(f"--train {train} leaves the {len(dataset.label)} rows of {source}.")
    return rows, np.asarray(dataset.label[rows]), tuple(dataset.label_names)


def make_plan(n_train: int, *, published: bool, **options: Any) -> UnpairingPlan:
    """The plan of the paper's rule, or of its released script."""
    from cmh_unpair import plan_unpairing, published_2022_plan

    from umml_cli.errors import UserError

    if not published:
        return plan_unpairing(n_train, **options)
    shares = {name: options.pop(name) for name in ("unpaired_images", "unpaired_text")}
    if options != {"discard": 0, "block": 100, "select": "first", "seed": None}:
        raise UserError("--published takes --unpaired-images and --unpaired-text only; leave the others out.")
    return published_2022_plan(n_train, **shares, text_rows="back" if all(shares.values()) else "front")


def read_plan(path: Path) -> UnpairingPlan:
    """A plan from its JSON file."""
    from cmh_unpair import UnpairingPlan

    return UnpairingPlan.from_json(path.read_bytes())
