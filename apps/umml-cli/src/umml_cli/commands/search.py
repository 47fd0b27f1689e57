"""`umml index` and `umml search`: from a trained model to answers."""

from __future__ import annotations

import json
import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from umml_cli.console import make_console, print_notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INDEX = "index"
_BLOCK = 4096  # rows encoded and added at a time


class CombineChoice(StrEnum):
    """How the two codes of an item make one distance."""

    NEAREST = "nearest"
    MEAN = "mean"
    CROSS = "cross"


def index(
    model: Annotated[Path, typer.Argument(help="A run folder of umml train, or an exported model.")],
    data: Annotated[str, typer.Argument(help="The collection: a data file, or a built-in data set: emoji.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the index; if not given, index in the model's folder.")
    ] = None,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Index every row; otherwise the rows of the retrieval set.")
    ] = False,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Keep the network's outputs too, so that searches can re-rank.")
    ] = False,
) -> None:
    """Encode a collection and make an index of it, in which items may have an image, a text or both.

    Example: umml index runs/abc emoji
    """
    import numpy as np
    from cmh_search import CodeIndex, IndexWriter
    from cmh_train import encode_dataset, load_model

    from umml_cli.errors import UserError
    from umml_cli.inputs.data_sources import open_data

    console = make_console()
    loaded = load_model(model)
    dataset = open_data(data)
    target = model / INDEX if out is None else out
    rows = np.arange(len(dataset)) if all_rows else dataset.split.retrieval
    present = {"image": dataset.image_present[rows], "text": dataset.text_present[rows]}
    rows = rows[present["image"] | present["text"]]
    ids = [dataset.ids[row] if dataset.ids else str(row) for row in rows]
    if len(set(ids)) < len(ids):
        ids = [f"{name} (row {row})" for name, row in zip(ids, rows, strict=True)]
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if target.exists():
        raise UserError(f"{target} is there already; delete it or choose another --out.")
    CodeIndex.create(
        partial,
        bits=loaded.bits,
        label_names=dataset.label_names or [f"label {column}" for column in range(dataset.label.shape[1])],
        value_width=loaded.bits if outputs else 0,
    )
    try:
        with IndexWriter(partial) as writer:
            for start in range(0, len(rows), _BLOCK):
                block = rows[start : start + _BLOCK]
                codes = {
                    "image": encode_dataset(loaded.method, "image", dataset.image[block]),
                    "text": encode_dataset(loaded.method, "text", dataset.text[block]),
                }
                values = {f"{side}_values": codes[side] for side in codes} if outputs else {}
                writer.add(
                    ids=ids[start : start + _BLOCK],
                    image_codes=codes["image"],
                    text_codes=codes["text"],
                    image_present=dataset.image_present[block],
                    text_present=dataset.text_present[block],
                    labels=dataset.label[block],
                    payload=[{"row": int(row), **_words(dataset, int(row))} for row in block],
                    **values,
                )
            writer.compact()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    counts = CodeIndex(target).counts
    groups: tuple[tuple[Literal["image", "text", "both"], str], ...] = (
        ("both", "image and text"),
        ("image", "an image only"),
        ("text", "a text only"),
    )
    sides = ", ".join(f"{counts[group]} with {title}" for group, title in groups)
    console.print(f"{len(rows)} items of {loaded.bits} bits: {sides}.\nIndex: {target}", soft_wrap=True)
    if loaded.depends_on_batch:
        print_notes(
            console,
            ["codes of this model depend on the items encoded together; a lone query differs a little"],
        )


def _words(dataset: Any, row: int) -> dict[str, str]:
    """The words of an item, where the data set knows them."""
    if not dataset.text_vocabulary or not dataset.text_present[row]:
        return {}
    words = [
        word for word, has in zip(dataset.text_vocabulary, dataset.text[row : row + 1][0], strict=True) if has
    ]
    return {"words": " ".join(words)}


def search(
    model: Annotated[Path, typer.Argument(help="The model that the index was made with.")],
    words: Annotated[str | None, typer.Argument(help="What to look for, in words.")] = None,
    image: Annotated[Path | None, typer.Option(help="Look for what fits this picture.")] = None,
    like: Annotated[str | None, typer.Option(metavar="ID", help="Look for what is like this item.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    label: Annotated[list[str] | None, typer.Option(help="Only items with this label; repeatable.")] = None,
    combine: Annotated[
        CombineChoice,
        typer.Option(
            help="Distance of an item that has both codes: the smaller, the mean, or the other modality's."
        ),
    ] = CombineChoice.NEAREST,
    rerank: Annotated[
        int | None, typer.Option(min=1, help="Order the k times so many nearest by the network's outputs.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="Folder of the index; if not given, index in the model's folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the items of an index that fit words, a picture, or another item.

    Example: umml search runs/abc "a boat on the sea"
    """
    from cmh_search import CodeIndex
    from cmh_train import load_model

    from umml_cli.errors import UserError
    from umml_cli.inputs.queries import encode_picture, encode_words

    console = make_console()
    if sum(given is not None for given in (words, image, like)) != 1:
        raise UserError("Give one thing to look for: words, --image FILE or --like ID.")
    opened = CodeIndex(model / INDEX if index is None else index)
    remark: str | None = None
    outputs: NDArray[np.float32] | None = None
    modality: Literal["image", "text"] = "text"
    if like is not None:
        codes = opened.codes_of(like)
        modality = "image" if "image" in codes else "text"
        if rerank is not None:
            raise UserError("--rerank needs the network's outputs of the query; leave it out with --like.")
    else:
        loaded = load_model(model)
        if image is not None:
            outputs, modality = encode_picture(loaded, image), "image"
        else:
            outputs, remark = encode_words(loaded, words or "")
    found = opened.search(
        codes[modality] if outputs is None else outputs,
        k=k,
        combine=combine.value,
        query_modality=modality,
        labels=label,
        exclude=None if like is None else [like],
        rerank=rerank,
        query_values=None if rerank is None else outputs,
    ).items()
    if as_json:
        typer.echo(json.dumps({"remark": remark, "items": found}, ensure_ascii=False, indent=1))
        return
    if remark:
        print_notes(console, [remark])
    table = Table()
    table.add_column("distance", justify="right")
    table.add_column("item")
    table.add_column("labels")
    table.add_column("words")
    for item in found:
        table.add_row(
            f"{item['distance']:g}",
            item["id"],
            ", ".join(item["labels"]),
            str(item["payload"].get("words", "")),
        )
    console.print(table if found else "Nothing was found.")
