"""`umml encode`: the codes of a collection as a file."""

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
)
from umml_cli.commands.search_options import (
    CollectionArgument,
    ModelArgument,
    RowsChoice,
    show_progress,
)
from umml_cli.console import make_console, print_notes


def encode(
    model: ModelArgument,
    data: CollectionArgument,
    out: Annotated[Path, typer.Option(help="The HDF5 file to write.")],
    rows: Annotated[RowsChoice, typer.Option(help="Which rows of a data file.")] = RowsChoice.ALL,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Write the network's outputs too, as float32.")
    ] = False,
    split_seed: SplitSeedOption = None,
    queries: QueriesOption = None,
    training: TrainingOption = None,
    stratified: StratifiedOption = False,
    first_row: FirstRowOption = None,
) -> None:
    """Encode a collection with a trained model and write its codes, -1 and +1, with ids and labels.

    Pictures and texts are read by the encoders that the model names; a data file holds features already.

    Example: umml encode model photos --out codes.h5

    Example: umml encode model mine.h5 --rows query --out queries.h5
    """
    from cmh_train import load_model

    from umml_cli.inputs.data_sources import drawn_split, keep_source
    from umml_cli.search.code_file import write_codes
    from umml_cli.search.collection import open_collection, unfollowed
    from umml_cli.terms import counted

    keep_source(data, out)
    loaded = load_model(model)
    split = drawn_split(split_seed, queries=queries, training=training, stratified=stratified)
    collection = open_collection(data, loaded, rows=rows.value, split=split, first_row=first_row)
    counts = write_codes(collection, loaded, out, keep_outputs=outputs, progress=show_progress)
    console = make_console(soft_wrap=True)
    console.print(
        f"{out}: {counted(len(collection.rows), 'item')} of {loaded.bits} bits, "
        f"{counts['image']} with an image code, {counts['text']} with a text code"
    )
    print_notes(console, unfollowed(data))
