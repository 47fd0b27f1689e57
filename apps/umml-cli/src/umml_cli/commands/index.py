"""`umml index`: an index of a collection, which answers queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from umml_cli.commands.data_options import (
    FirstRowOption,
    QueriesOption,
    SplitSeedOption,
    StratifiedOption,
    TrainingOption,
)
from umml_cli.commands.search_options import (
    BackendChoice,
    BackendOption,
    CollectionArgument,
    ModelArgument,
    NprobeOption,
    OutputsChoice,
    PicturesOption,
    RowsChoice,
    show_progress,
)
from umml_cli.console import make_console, print_notes


def index(
    model: ModelArgument,
    data: CollectionArgument,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the index; by default the folder index in the model's folder."),
    ] = None,
    rows: Annotated[
        RowsChoice, typer.Option(help="Which rows of a data file; of a folder of pictures all of them.")
    ] = RowsChoice.RETRIEVAL,
    pictures: PicturesOption = None,
    keep_outputs: Annotated[
        OutputsChoice | None,
        typer.Option(
            help="Keep the network's outputs too, so that searches can re-rank; int8 takes half the space."
        ),
    ] = None,
    backend: BackendOption = BackendChoice.EXACT,
    nprobe: NprobeOption = None,
    split_seed: SplitSeedOption = None,
    queries: QueriesOption = None,
    training: TrainingOption = None,
    stratified: StratifiedOption = False,
    first_row: FirstRowOption = None,
) -> None:
    """Encode a collection and make an index of it, in which items may have an image, a text or both.

    Example: umml index runs/abc emoji

    Example: umml index model photos --out photos.index
    """
    from cmh_train import find_model, load_model

    from umml_cli.inputs.data_sources import drawn_split
    from umml_cli.search.collection import open_collection, unfollowed
    from umml_cli.search.make_index import INDEX, make_index
    from umml_cli.search.open_searcher import PROBES, approximate_search, check_backend
    from umml_cli.terms import counted

    check_backend(backend.value, nprobe)
    console = make_console()
    loaded = load_model(model)
    split = drawn_split(split_seed, queries=queries, training=training, stratified=stratified)
    collection = open_collection(
        data, loaded, rows=rows.value, pictures=pictures, split=split, first_row=first_row
    )
    target = find_model(model) / INDEX if out is None else out
    made = make_index(
        collection,
        loaded,
        target,
        outputs=None if keep_outputs is None else keep_outputs.value,
        progress=show_progress,
    )
    groups: tuple[tuple[Literal["image", "text", "both"], str], ...] = (
        ("both", "image and text"),
        ("image", "an image only"),
        ("text", "a text only"),
    )
    sides = ", ".join(f"{made.counts[group]:,} with {title}" for group, title in groups)
    console.print(
        f"{counted(len(made), 'item')} of {loaded.bits} bits: {sides}.\nIndex: {target}", soft_wrap=True
    )
    notes = unfollowed(data)
    if backend is BackendChoice.FAISS:
        notes.append(approximate_search(made, nprobe or PROBES).says)
    if left_out := len(collection.rows) - len(made):
        notes.append(
            f"not in the index, without an image or a text that could be encoded: {counted(left_out, 'item')}"
        )
    if loaded.depends_on_batch:
        notes.append(
            "codes of this model depend on the items encoded together; a query encoded alone gets a "
            "slightly different code"
        )
    print_notes(console, notes)
