"""Options that the commands on models, collections and indexes share."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ModelArgument = Annotated[
    Path,
    typer.Argument(help="A run folder of umml train, a folder with one run in it, or an exported model."),
]
CollectionArgument = Annotated[
    str,
    typer.Argument(
        help="The collection: a data file, a built-in data set (emoji), or a folder of pictures, with "
        "a table of texts and labels in it or without."
    ),
]
PicturesOption = Annotated[
    Path | None,
    typer.Option(help="Folder or zip file of the pictures of a data file, whose ids are their paths in it."),
]
IndexOption = Annotated[
    Path | None, typer.Option(help="Folder of the index; by default the folder index in the model's folder.")
]


class RowsChoice(StrEnum):
    """Rows of a data file."""

    ALL = "all"
    TRAIN = "train"
    QUERY = "query"
    RETRIEVAL = "retrieval"


class CombineChoice(StrEnum):
    """How the codes of an item make one distance."""

    NEAREST = "nearest"
    MEAN = "mean"
    CROSS = "cross"
    CENTRED = "centred"


CombineOption = Annotated[
    CombineChoice,
    typer.Option(
        help="Distance of an item that has both codes: nearest: the smaller; mean: their mean; cross: "
        "that of the modality other than the query's; centred: the mean, less the query's mean "
        "distance to each modality."
    ),
]
RerankOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Re-rank this many times k nearest items by the network's outputs, if the index keeps them.",
    ),
]


class BackendChoice(StrEnum):
    """What searches an index."""

    EXACT = "exact"
    FAISS = "faiss"


class OutputsChoice(StrEnum):
    """How network outputs are kept."""

    FLOAT16 = "float16"
    INT8 = "int8"


BackendOption = Annotated[
    BackendChoice,
    typer.Option(
        help="exact compares every code; faiss looks into the nearest lists of a binary inverted file only, "
        "for indexes of ten million codes and more."
    ),
]
NprobeOption = Annotated[
    int | None,
    typer.Option(
        "--nprobe", min=1, help="With --backend faiss: into how many lists a search looks, by default 64."
    ),
]


def show_progress(done: int, total: int) -> None:
    """Show on a terminal how many rows are encoded."""
    if sys.stderr.isatty():
        print(f"\rencoded {done} of {total}", end="\n" if done >= total else "", file=sys.stderr, flush=True)  # noqa: T201
