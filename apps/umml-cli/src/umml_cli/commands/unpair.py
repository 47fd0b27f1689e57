"""`umml unpair`: write a copy of a data file in which a stated share of the training pairs is unpaired."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from umml_cli.console import make_console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_data import PairedDataset
    from cmh_unpair import UnpairingPlan
    from numpy.typing import NDArray


class Select(StrEnum):
    """Which rows of a block lose their partner first."""

    first = "first"
    last = "last"
    random = "random"
    hardest = "hardest"
    easiest = "easiest"


class Marker(StrEnum):
    """Which modality gets a column that says which items are removed."""

    none = "none"
    text = "text"
    both = "both"


class Fill(StrEnum):
    """What replaces a removed item."""

    zero = "zero"
    mean = "mean"


class Ranked(StrEnum):
    """What becomes of training rows that are also in the retrieval set."""

    remove = "remove"
    keep = "keep"
    refuse = "refuse"


def unpair(
    source: Annotated[Path, typer.Argument(help="An HDF5, MATLAB 5, MATLAB 7.3 or npz file of any layout.")],
    target: Annotated[
        Path | None, typer.Argument(help="The file to write; not needed with --dry-run.")
    ] = None,
    unpaired_images: Annotated[
        float, typer.Option(help="Percentage of training images whose text is removed.")
    ] = 0,
    unpaired_text: Annotated[
        float, typer.Option(help="Percentage of training texts whose image is removed.")
    ] = 0,
    discard: Annotated[float, typer.Option(help="Percentage of training pairs left out altogether.")] = 0,
    block: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Rows per block; 0 takes the whole set as one. By default 100, for hardest and easiest the "
            "whole set.",
        ),
    ] = None,
    select: Annotated[
        Select,
        typer.Option(help="Which rows of a block come first; hardest: those with the highest scores."),
    ] = Select.first,
    scores: Annotated[
        Path | None,
        typer.Option(help="File of umml rank, for --select hardest and easiest."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of --select random.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Take the rows that the paper's released script takes.")
    ] = False,
    plan_file: Annotated[Path | None, typer.Option(help="A plan's JSON instead of percentages.")] = None,
    plan_out: Annotated[Path | None, typer.Option(help="Also write the plan as JSON.")] = None,
    train: Annotated[
        str | None,
        typer.Option(
            metavar="FROM:TO", help="Training rows, from 0; by default those of the file's own split."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="A named split for the training rows, see `umml data protocols`.")
    ] = None,
    image_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of an image array, if it is not one of the usual names; '' if there is none."
        ),
    ] = None,
    text_key: Annotated[
        list[str] | None, typer.Option(help="The same for texts. Both may be given several times.")
    ] = None,
    item_axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=AXIS", help="The axis of the items, from 0, where the sizes leave it open."
        ),
    ] = None,
    ranked: Annotated[
        Ranked,
        typer.Option(
            help="Training rows that are also ranked: remove them there too, keep their values (the file's "
            "masks then say what they lose in training), or refuse."
        ),
    ] = Ranked.remove,
    marker: Annotated[
        Marker, typer.Option(help="Add a column that is 1 where an item is removed.")
    ] = Marker.none,
    fill: Annotated[Fill, typer.Option(help="What replaces a removed item.")] = Fill.zero,
    dry_run: Annotated[
        bool, typer.Option("--plan", "--dry-run", help="Show what would be done, write nothing.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw what every training row keeps (png, pdf, svg).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing target.")] = False,
) -> None:
    """Unpair exactly the stated share of training pairs; query and other rows stay as they are.

    Example: umml unpair mirflickr.h5 ui20.h5 --unpaired-images 20

    Example: umml unpair wikipedia.h5 hard.h5 --unpaired-images 20 --select hardest --scores scores.csv

    Example: umml unpair nus-wide-tc21-iall.mat out.mat --unpaired-text 20 --train 0:10000 --dry-run
    """
    import numpy as np
    from cmh_files import file_format
    from cmh_unpair import unpair_file

    from umml_cli.errors import UserError
    from umml_cli.report.plan_figure import label_table, strip_figure
    from umml_cli.runs.files import replacing, write_text

    console = make_console(soft_wrap=True)
    if target is None and not dry_run:
        raise UserError("Name the file to write, or pass --dry-run.")
    if target is not None and target.exists() and not dry_run and not overwrite:
        raise UserError(f"{target} exists; choose another name or pass --overwrite.")
    file_format(source)  # what cannot be rewritten need not be understood
    rows, dataset = training_rows(source, train=train, protocol=protocol)
    of_a_rule = {
        "--unpaired-images": unpaired_images, "--unpaired-text": unpaired_text, "--discard": discard,
        "--block": block is not None, "--select": select is not Select.first, "--seed": seed is not None,
        "--published": published, "--scores": scores,
    }  # fmt: skip
    made = (
        read_plan(plan_file, of_a_rule)
        if plan_file
        else make_plan(
            len(rows),
            published=published,
            unpaired_images=unpaired_images,
            unpaired_text=unpaired_text,
            discard=discard,
            seed=seed,
            **selection(select, scores, block, rows, dataset, source),
        )
    )
    ranked_rows = find_ranked(made, rows, dataset, ranked)
    options: dict[str, Any] = {
        "rows": rows,
        "marker": marker.value,
        "fill": fill.value,
        "image_key": keys_of(image_key),
        "text_key": keys_of(text_key),
        "item_axis": axes_of(item_axis or []),
        "keep": ranked_rows if ranked is Ranked.keep else None,
    }
    if not (dry_run and made.text_index is not None):  # no file can hold shuffled rows, a figure can
        unpair_file(source, None, made, **options)
    console.print(made.summary())
    if dataset is not None and len(rows) == len(made):
        labels = np.asarray(dataset.label[rows])
        console.print(label_table(made, labels, tuple(dataset.label_names)))
        warn_of_queries(rows[losing(made)], dataset)
    if ranked is Ranked.remove and len(ranked_rows):
        warn_of_ranked(made, rows, ranked_rows, source)
    if figure is not None:
        with replacing(figure) as temporary:
            strip_figure(made).savefig(temporary, dpi=200)
    if plan_out is not None:
        write_text(plan_out, made.to_json())
    if dry_run or target is None:
        console.print("Nothing was written to the target (--dry-run).")
        return
    report = unpair_file(source, target, made, overwrite=overwrite, **options)
    for array in report.arrays:
        console.print(f"{array.key}: {array.emptied} of {report.n_items} items removed")
    console.print(f"{target} is written and checked.")


def training_rows(
    source: Path, *, train: str | None, protocol: str | None
) -> tuple[NDArray[Any], PairedDataset | None]:
    """The training rows of a file, and the data set where the file is a whole one."""
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
    except cmh_data.MissingPartsError as error:
        if found is None:
            raise UserError(
                f"The training rows of {source} are not known; give --train FROM:TO. "
                f"(Reading it as a data set: {error})"
            ) from error
        return np.arange(int(found[1]), int(found[2])), None
    rows = dataset.split.train if found is None else np.arange(int(found[1]), int(found[2]))
    if rows.max(initial=-1) >= len(dataset.label):
        raise UserError(f"--train {train} leaves the {len(dataset.label)} rows of {source}.")
    return rows, dataset


def selection(
    select: Select,
    scores: Path | None,
    block: int | None,
    rows: NDArray[Any],
    dataset: PairedDataset | None,
    source: Path,
) -> dict[str, Any]:
    """Which rows come first, as `cmh_unpair.plan_unpairing` takes it."""
    from umml_cli.errors import UserError
    from umml_cli.runs.sample_scores import SampleScores

    ranked = select in {Select.hardest, Select.easiest}
    if ranked and scores is None:
        raise UserError(
            f"--select {select.value} needs scores of the training rows; make them with "
            f"umml rank {source} --out scores.csv and pass --scores scores.csv."
        )
    if not ranked:
        if scores is not None:
            raise UserError("--scores ranks rows for --select hardest or easiest; give one of them, too.")
        return {"block": 100 if block is None else block or None, "select": select.value}
    assert scores is not None
    return {
        "block": block or None,
        "select": "ranked",
        "scores": SampleScores.load(scores).of_rows(rows, dataset, source),
        "rank_from": "highest" if select is Select.hardest else "lowest",
        "unpaired_text_at": "start",
    }


def keys_of(given: list[str] | None) -> list[str] | None:
    """Names of arrays; an empty name says that there is none."""
    return None if given is None else [key for key in given if key]


def axes_of(given: list[str]) -> dict[str, int]:
    """The axis of the items by array, from KEY=AXIS."""
    from umml_cli.errors import UserError

    axes = {}
    for text in given:
        key, _, axis = text.rpartition("=")
        if not key or not axis.isdecimal():
            raise UserError(f"--item-axis takes KEY=AXIS, for example YAll=0, not {text!r}.")
        axes[key] = int(axis)
    return axes


def find_ranked(
    plan: UnpairingPlan, rows: NDArray[Any], dataset: PairedDataset | None, ranked: Ranked
) -> NDArray[Any]:
    """The training rows that are ranked as well and lose something."""
    import numpy as np

    from umml_cli.errors import UserError

    if dataset is None:
        if ranked is not Ranked.remove:
            raise UserError(
                f"--ranked {ranked.value} needs to know the retrieval set, which the file does not say; "
                "save the parts as one file with its split, or leave --ranked out."
            )
        return np.zeros(0, dtype=np.int64)
    if len(rows) != len(plan):
        return np.zeros(0, dtype=np.int64)  # refused with the file
    lost = rows[losing(plan)]
    found: NDArray[Any] = lost[np.isin(lost, dataset.split.retrieval)]
    if ranked is Ranked.refuse and len(found):
        raise UserError(
            f"{len(found)} of the training rows that lose something are in the retrieval set, where they "
            "would be ranked without it; pass --ranked keep or --ranked remove."
        )
    return found


def losing(plan: UnpairingPlan) -> NDArray[Any]:
    """Which training rows are kept without their image or text."""
    found: NDArray[Any] = plan.kept & ~(plan.image_present & plan.text_present)
    return found


def warn_of_queries(lost: NDArray[Any], dataset: PairedDataset) -> None:
    """Say that items of queries are removed, where the rows are not those of the file's own split."""
    import numpy as np

    if n := int(np.isin(lost, dataset.split.query).sum()):
        make_console(stderr=True, soft_wrap=True).print(
            f"Warning: {n} of the rows that lose their image or text are query rows of the file, and queries "
            "without it are left out of a task; give other rows as --train, unless the file is split anew."
        )


def warn_of_ranked(plan: UnpairingPlan, rows: NDArray[Any], ranked: NDArray[Any], source: Path) -> None:
    """Say that items are removed which will be ranked."""
    import numpy as np

    among = np.isin(rows, ranked) & plan.kept
    images, texts = (
        int(np.count_nonzero(among & ~present)) for present in (plan.image_present, plan.text_present)
    )
    make_console(stderr=True, soft_wrap=True).print(
        f"Warning: {texts} texts and {images} images of training rows that are also in the retrieval set are "
        f"removed, so they are ranked without them; {source} stays whole. Pass --ranked keep to keep their "
        "values here, or train on the source with the same percentages, which removes them in training only.",
    )


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


def read_plan(path: Path, others: Mapping[str, object]) -> UnpairingPlan:
    """A plan from its JSON file; refuses what would make another one."""
    from cmh_unpair import UnpairingPlan

    from umml_cli.errors import refuse

    refuse(
        others, "does not go with --plan-file, which says already which rows lose something; leave one out"
    )
    return UnpairingPlan.from_json(path.read_bytes())
