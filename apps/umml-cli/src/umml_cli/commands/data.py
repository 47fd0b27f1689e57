"""`umml data`: inspect, convert, build and simulate data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from umml_cli.commands.data_options import (
    ColumnsOption,
    EncodingOption,
    FirstRowOption,
    FolderLabelsOption,
    KeepTogetherOption,
    LabelSeparatorOption,
    QueriesOption,
    SeparatorOption,
    SplitSeedOption,
    StratifiedOption,
    TrainingOption,
)
from umml_cli.commands.parser import Command, Group
from umml_cli.console import make_console
from umml_cli.terms import EncoderDevice, PixelAxes

data = typer.Typer(
    cls=Group,
    help="Inspect, convert, build and simulate data sets.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RowsOption = Annotated[
    int | None, typer.Option("--rows", help="Number of rows, if square arrays leave it ambiguous.")
]
PixelsOption = Annotated[PixelAxes, typer.Option(help="Stored order of pixels; auto: by the keys.")]
ViewsOption = Annotated[
    str, typer.Option(help="Which two views of a file with three are image and text, such as IP.")
]
ProtocolOption = Annotated[str | None, typer.Option(help="A named split, see `umml data protocols`.")]
SeedOption = Annotated[int, typer.Option(help="Random seed.")]
MissingOption = Annotated[
    str, typer.Option(help="Values that mean missing: nan or zero-rows; stated: only what the file says.")
]


@data.command(cls=Command)
def inspect(
    path: Annotated[
        str, typer.Argument(help="A data file of any layout, a folder with the files of one set, or emoji.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Draw which labels occur together, as PNG, PDF or SVG.")
    ] = None,
    rows: RowsOption = None,
    pixel_axes: PixelsOption = "auto",
    views: ViewsOption = "IT",
    missing: MissingOption = "stated",
    first_row: FirstRowOption = None,
) -> None:
    """Summarise and validate a data file: layout, shapes, labels, words, split and published set.

    Example: umml data inspect FLICKR-25K.mat

    Example: umml data inspect folder-with-iall-yall-lall --json

    Example: umml data inspect mirflickr.h5 --figure labels.png
    """
    import cmh_data

    report = cmh_data.inspect(
        path,
        n_rows=rows,
        pixel_axes=pixel_axes,
        views=views,
        missing=missing,  # type: ignore[arg-type] # checked there
        first_row=first_row,
    )
    make_console(soft_wrap=True).print(report.to_json() if json else report.to_text())
    if figure is not None:
        from umml_cli.report.label_figure import draw_labels

        draw_labels(report, figure)


@data.command(cls=Command)
def convert(
    source: Annotated[str, typer.Argument(help="A data file or folder of any layout, or emoji.")],
    target: Annotated[Path, typer.Argument(help="The HDF5 file to write.")],
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    keep_unlabelled: Annotated[
        bool, typer.Option("--keep-unlabelled", help="Keep rows without a label.")
    ] = False,
    rows: RowsOption = None,
    pixel_axes: PixelsOption = "auto",
    views: ViewsOption = "IT",
    missing: MissingOption = "stated",
    first_row: FirstRowOption = None,
    split_seed: SplitSeedOption = None,
    queries: QueriesOption = None,
    training: TrainingOption = None,
    stratified: StratifiedOption = False,
) -> None:
    """Write a data set to one HDF5 file that opens fast and carries split, names and digest.

    Example: umml data convert FLICKR-25K.mat mirflickr.h5 --protocol umml

    Example: umml data convert mine.npz mine.h5 --split-seed 0 --queries 500 --stratified
    """
    import cmh_data

    from umml_cli.inputs.data_sources import drawn_split, keep_source

    keep_source(source, target)
    split = drawn_split(split_seed, queries=queries, training=training, stratified=stratified)
    dataset = cmh_data.load(
        source,
        protocol=protocol,
        seed=seed,
        unlabelled="keep" if keep_unlabelled else "refuse",
        n_rows=rows,
        pixel_axes=pixel_axes,
        views=views,
        missing=missing,  # type: ignore[arg-type] # checked there
        first_row=first_row,
        split=split,
    )
    _write(dataset, target)


@data.command(cls=Command)
def build(
    name: Annotated[
        str,
        typer.Argument(
            help="mirflickr25k, nuswide, coco, flickr30k, wikipedia, hanzi, debian-apps or folder (your own)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HDF5 file to write.")],
    source: Annotated[Path, typer.Option("--from", help="Folder of the official archives, or your own.")],
    features: Annotated[
        Path | None, typer.Option(help="Image features: npz with ids and image, or npy in row order.")
    ] = None,
    pixels: Annotated[
        int | None, typer.Option(help="Instead of features: store images of this size.")
    ] = None,
    image_encoder: Annotated[
        str | None, typer.Option(help="Instead of features: encode the pictures, such as efficientnet-lite0.")
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="With --image-encoder: encode the texts, such as minilm.")
    ] = None,
    device: Annotated[EncoderDevice, typer.Option(help="Where encoders run.")] = "auto",
    protocol: ProtocolOption = None,
    queries: Annotated[int | None, typer.Option(help="Queries of a random split; default a tenth.")] = None,
    training: Annotated[
        int | None, typer.Option(help="Training rows of a random split; default all.")
    ] = None,
    seed: SeedOption = 0,
    columns: ColumnsOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    label_separator: LabelSeparatorOption = None,
    labels_from_folders: FolderLabelsOption = False,
    keep_together: KeepTogetherOption = "identical",
) -> None:
    """Build a data set from its official distribution, or from a folder of images with a table or texts.

    Example: umml data build mirflickr25k --from archives --features vgg.npz --protocol umml --out mir.h5

    Example: umml data build hanzi --from debs --image-encoder grey-pixels --protocol hanzi --out hanzi.h5

    Example: umml data build folder --from photos --pixels 224 --out photos.h5

    Example: umml data build folder --from photos --image-encoder efficientnet-lite0 --out photos.h5

    Example: umml data build folder --from photos --columns image=file,text=caption --pixels 224 --out a.h5
    """
    import cmh_data

    from umml_cli.errors import UserError
    from umml_cli.inputs.data_sources import folder_options

    builders = cmh_data.builders()
    if name not in builders:
        raise UserError(f"There is no builder {name!r}; the builders are {', '.join(builders)}.")
    if sum(one is not None for one in (features, pixels, image_encoder)) != 1:
        raise UserError(
            "Give one of --image-encoder NAME, --features FILE and --pixels SIZE: the data must have images."
        )
    if text_encoder is not None and image_encoder is None:
        raise UserError(
            "--text-encoder goes with --image-encoder; without it the texts become bags of words."
        )
    how = folder_options(
        columns=columns,
        separator=separator,
        encoding=encoding,
        label_separator=label_separator,
        labels_from_folders=labels_from_folders,
    )
    if how and name != "folder":
        raise UserError(
            f"--{next(iter(how)).replace('_', '-')} is for the builder folder, but the builder is {name}."
        )
    built = builders[name](source, **how)
    for step in built.provenance["steps"]:
        make_console(soft_wrap=True).print(step)
    split: dict[str, Any] = {
        "protocol": protocol,
        "n_query": queries,
        "n_train": training,
        "seed": seed,
        "keep_together": keep_together,
    }
    if image_encoder is not None:
        _write_encoded(built, image_encoder, text_encoder, device, out, split)
        return
    image: Any = built.features(features) if features is not None else built.pixels(pixels or 0)
    dataset = built.dataset(image, **split)
    _write(dataset, out)


@data.command(cls=Command)
def sample(
    target: Annotated[
        Path | None, typer.Argument(help="Where to write it; without it, only show it.")
    ] = None,
) -> None:
    """Show or write the built-in data set: emoji, with the features of their pictures and their words.

    Example: umml data sample emoji.h5
    """
    import cmh_data

    dataset = cmh_data.sample()
    if target is not None:
        _write(dataset, target)
        return
    console = make_console(soft_wrap=True)
    split = dataset.split
    console.print(f"{len(dataset)} emoji, {dataset.text.shape[1]} words, {dataset.label.shape[1]} groups")
    console.print(f"train {len(split.train)}, query {len(split.query)}, retrieval {len(split.retrieval)}")
    console.print(f"digest {dataset.digest}")


@data.command(cls=Command)
def simulate(
    like: Annotated[str, typer.Argument(help="Whose sizes and statistics: mirflickr25k or nuswide-tc21.")],
    out: Annotated[Path, typer.Option(help="The HDF5 file to write.")],
    rows: Annotated[int | None, typer.Option(help="Number of rows; default as many as that set has.")] = None,
    width: Annotated[int, typer.Option(help="Width of the image features.")] = 4096,
    strength: Annotated[
        float, typer.Option(help="How strongly the image features depend on the labels; 0: not at all.")
    ] = 1.0,
    seed: SeedOption = 0,
) -> None:
    """Draw random data of any size with statistics like a published set's, for tests of scale.

    Example: umml data simulate nuswide-tc21 --rows 20000 --out simulated.h5
    """
    import cmh_data

    _write(cmh_data.simulate(like, n=rows, image_width=width, strength=strength, seed=seed), out)  # type: ignore[arg-type]


@data.command(cls=Command)
def protocols() -> None:
    """List the named splits, who uses them and the data sets they fit.

    Example: umml data protocols
    """
    import cmh_data
    from rich.table import Table

    table = Table("protocol", "data sets", "drawn", "what it is")
    for protocol in cmh_data.protocols().values():
        table.add_row(
            protocol.name, ", ".join(protocol.makers), "yes" if protocol.seeded else "no", protocol.title
        )
    make_console().print(table)


def _write_encoded(
    built: Any, image: str, text: str | None, device: str, out: Path, split: dict[str, Any]
) -> None:
    """Encode what was built, write it, and delete the unfinished features."""
    from umml_cli.commands.features import show_progress
    from umml_cli.inputs.encoding import BAG_OF_WORDS, Encoders, encode_built, remove_workspace, workspace_of

    console = make_console(soft_wrap=True)
    dataset = encode_built(
        built,
        Encoders(image, text or BAG_OF_WORDS, device=device),
        workspace_of(out),
        say=console.print,
        progress=show_progress,
        **split,
    )
    _write(dataset, out)
    remove_workspace(out)


def _write(dataset: Any, target: Path) -> None:
    import cmh_data

    path = cmh_data.save(dataset, target)
    console = make_console(soft_wrap=True)
    shape = " x ".join(map(str, dataset.image.shape))
    console.print(f"{path}: {dataset.name}, images {shape}, {path.stat().st_size / 1e6:.1f} MB")
    for finding in dataset.findings:
        console.print(f"Note: {finding}")
