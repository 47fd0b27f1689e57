"""`umml features`: pictures and texts to features, with encoders by name."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from umml_cli.commands.data_options import (
    ColumnsOption,
    EncodingOption,
    FolderLabelsOption,
    KeepTogetherOption,
    LabelSeparatorOption,
    SeparatorOption,
)
from umml_cli.console import make_console
from umml_cli.terms import EncoderDevice, EncoderPrecision

if TYPE_CHECKING:
    from collections.abc import Callable

    import cmh_features

ImageEncoderOption = Annotated[
    str | None, typer.Option(help="Encoder of the pictures, such as efficientnet-lite0.")
]
TextEncoderOption = Annotated[
    str | None, typer.Option(help="Encoder of the texts, such as minilm or bag-of-words.")
]
DeviceOption = Annotated[EncoderDevice, typer.Option(help="Where networks run.")]
EncoderPrecisionOption = Annotated[
    EncoderPrecision, typer.Option("--encoder-precision", help="Floating-point type of the networks.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Threads that decode pictures; by default one for each core.")
]
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")


def features(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="IN", help="A folder of pictures, perhaps with a table of texts, or a text file."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="The .h5 data set or .npy features to write.")
    ] = None,
    image_encoder: ImageEncoderOption = None,
    text_encoder: TextEncoderOption = None,
    device: DeviceOption = "auto",
    encoder_precision: EncoderPrecisionOption = "auto",
    threads: ThreadsOption = None,
    columns: ColumnsOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    label_separator: LabelSeparatorOption = None,
    labels_from_folders: FolderLabelsOption = False,
    keep_together: KeepTogetherOption = "identical",
    queries: Annotated[int | None, typer.Option(help="Queries of a random split; default a tenth.")] = None,
    training: Annotated[
        int | None, typer.Option(help="Training rows of a random split; default all others.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the split.")] = 0,
    list_encoders: Annotated[bool, typer.Option("--list", help="List the available encoders.")] = False,
) -> None:
    """Turn pictures and texts into features with encoders by name.

    A folder with a table, with texts beside the pictures, or with WebDataset shards becomes a data set
    (.h5), as `umml data build folder` makes it; items may lack a picture or a text. A folder of pictures, or
    a text file with one text a line, becomes features (.npy) with a .json file that says what made them and
    what was skipped. A stopped run continues when the same command is given again.

    Example: umml features photos photos.h5 --image-encoder efficientnet-lite0 --text-encoder minilm

    Example: umml features photos photos.h5 --image-encoder efficientnet-lite0 --columns text=note,labels=tags

    Example: umml features photos photos.npy --image-encoder efficientnet-lite0

    Example: umml features captions.txt captions.npy --text-encoder minilm

    Example: umml features --list
    """
    from umml_cli.errors import UserError
    from umml_cli.inputs.data_sources import folder_options

    if list_encoders:
        _list()
        return
    if source is None or out is None:
        raise UserError("Give IN and OUT, or --list; see `umml features --help`.")
    if not source.exists():
        raise UserError(f"There is no {source}.")
    chosen = {"device": device, "precision": encoder_precision, "threads": threads}
    how = folder_options(
        columns=columns,
        separator=separator,
        encoding=encoding,
        label_separator=label_separator,
        labels_from_folders=labels_from_folders,
    )
    if out.suffix == ".h5":
        split = {"n_query": queries, "n_train": training, "seed": seed, "keep_together": keep_together}
        _data_set(source, out, image_encoder, text_encoder, chosen, how, split)
    elif out.suffix == ".npy":
        if how or queries is not None or training is not None:
            raise UserError("Columns, labels and a split belong to data sets: OUT must end in .h5 for these.")
        _table(source, out, image_encoder, text_encoder, chosen)
    else:
        raise UserError(f"OUT must end in .h5 or .npy, but it is {out}.")


def show_progress(what: str) -> Callable[[cmh_features.Progress], None]:
    """Make a callback that shows how far encoding is: one line on a terminal, a line every 10 s elsewhere."""
    from umml_cli.runs.progress import format_seconds

    screen = sys.stderr
    shown = [0.0]

    def show(now: cmh_features.Progress) -> None:
        complete = now.done == now.total
        if not complete and time.monotonic() - shown[0] < (0.2 if screen.isatty() else 10):
            return
        shown[0] = time.monotonic()
        left = "" if now.seconds_left is None else f", {format_seconds(now.seconds_left)} left"
        line = f"{what}: {now.done} of {now.total}, {now.skipped} skipped{left}"
        print(f"\r{line:<70}" if screen.isatty() else line, end="", file=screen)
        if complete or not screen.isatty():
            print(file=screen)

    return show


def _data_set(
    source: Path,
    out: Path,
    image: str | None,
    text: str | None,
    chosen: dict[str, Any],
    how: dict[str, Any],
    split: dict[str, Any],
) -> None:
    import cmh_data

    from umml_cli.errors import UserError
    from umml_cli.inputs.encoding import BAG_OF_WORDS, Encoders, encode_built, remove_workspace, workspace_of

    if image is None:
        raise UserError("A data set needs --image-encoder, such as efficientnet-lite0.")
    built = cmh_data.build_folder(source, **how)
    for step in built.provenance["steps"]:
        _say(step)
    encoders = Encoders(image, text or BAG_OF_WORDS, **chosen)
    dataset = encode_built(built, encoders, workspace_of(out), say=_say, progress=show_progress, **split)
    cmh_data.save(dataset, out)
    remove_workspace(out)
    made = dataset.split
    complete = dataset.image_present & dataset.text_present
    _say(
        f"{out}: {len(dataset)} items, {int(dataset.image_present.sum())} with an image of "
        f"{dataset.image.shape[1]} numbers, {int(dataset.text_present.sum())} with a text of "
        f"{dataset.text.shape[1]}, {int(complete.sum())} with both; {len(made.train)} train, "
        f"{len(made.query)} are queries"
    )


def _table(source: Path, out: Path, image: str | None, text: str | None, chosen: dict[str, Any]) -> None:
    from umml_cli.errors import UserError
    from umml_cli.inputs.encoding import Encoders, listed, report_skipped
    from umml_cli.inputs.picture_files import check_names

    if (image is None) == (text is None):
        raise UserError(
            "A .npy file holds features of one modality: give either --image-encoder or --text-encoder."
        )
    encoders = Encoders(image or "", text or "", **chosen)
    if image is not None:
        if not source.is_dir():
            raise UserError(f"--image-encoder needs a folder of pictures, but {source} is not a folder.")
        paths = sorted(str(path) for path in source.rglob("*") if path.suffix.lower() in PICTURES)
        if not paths:
            raise UserError(f"{source} holds no pictures ({', '.join(PICTURES)}).")
        names = [Path(path).relative_to(source).as_posix() for path in paths]
        check_names(source, names)
        if broken := [name for name in names if len(name.splitlines()) > 1]:
            raise UserError(
                f"The names of pictures are written one per line, but {broken[0]!r} holds a line break; "
                "rename it."
            )
        encoder = encoders.load(image, "image")
        encoded = encoder.encode_images(
            paths, out=out, threads=encoders.threads, progress=show_progress("images")
        )
        out.with_suffix(".ids.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        report_skipped("images", encoded, _say)
    else:
        assert text is not None
        if not source.is_file():
            raise UserError(f"--text-encoder needs a text file, one text a line, but {source} is not a file.")
        texts = listed(source)
        encoder = encoders.load(text, "text")
        if hasattr(encoder, "fit") and not getattr(encoder, "vocabulary", ()):
            encoder.fit(texts)
            encoder.save(out.with_suffix(".vocabulary.json"))  # type: ignore[attr-defined] # what can be fitted can be saved
        encoded = encoder.encode_texts(texts, out=out, progress=show_progress("texts"))
        report_skipped("texts", encoded, _say)
    n, width = encoded.shape
    _say(f"{out}: {n} rows of {width} numbers, made by {encoded.identity['name']}")


def _list() -> None:
    import cmh_features
    from rich.table import Table

    table = Table("encoder", "of", "what it is")
    for spec in cmh_features.available_encoders().values():
        table.add_row(
            spec.usage or spec.name, " and ".join(f"{one}s" for one in spec.modalities), spec.summary
        )
    make_console().print(table)


def _say(line: str) -> None:
    make_console(soft_wrap=True).print(line)
