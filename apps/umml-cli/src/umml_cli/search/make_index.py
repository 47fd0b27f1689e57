"""Make an index of an encoded collection; it is whole or not there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cmh_search import CodeIndex, IndexWriter

from umml_cli.errors import UserError
from umml_cli.search.collection import SIDES, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cmh_train import Model

    from umml_cli.search.collection import Collection

INDEX = "index"
"""The folder of an index in the folder of its model."""


def make_index(
    collection: Collection,
    model: Model,
    target: Path,
    *,
    outputs: Literal["float16", "int8"] | None,
    progress: Callable[[int, int], None],
) -> CodeIndex:
    """Encode a collection into an index.

    Args:
        collection: the items.
        model: what encodes them.
        target: the folder of the index, not there yet.
        outputs: how to keep the network's outputs beside the codes, for re-ranking; None: not at all.
        progress: told how many of how many rows are encoded.

    Returns:
        The index. Items of which nothing could be encoded are not in it.

    Raises:
        UserError: if the folder is there, or nothing can be encoded.
    """
    if target.exists():
        raise UserError(f"{target} exists already; delete it or choose another --out.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    CodeIndex.create(
        partial,
        bits=model.bits,
        label_names=list(collection.label_names),
        value_width=0 if outputs is None else model.bits,
        value_type=outputs or "float16",
        remarks={
            "model": {"method": model.description.method, "digest": model.digest},
            "data": {"name": collection.name, "digest": collection.digest},
            "pictures": None if collection.pictures is None else str(collection.pictures),
        },
    )
    done, added = 0, 0
    try:
        with IndexWriter(partial) as writer:
            for block in blocks(collection):
                there = block.present["image"] | block.present["text"]
                if there.any():
                    rows = block.rows[there]
                    values = {f"{side}_values": block.outputs[side][there] for side in SIDES}
                    given: dict[str, Any] = {} if outputs is None else values
                    writer.add(
                        ids=[collection.ids[row] for row in rows],
                        image_codes=block.outputs["image"][there],
                        text_codes=block.outputs["text"][there],
                        image_present=block.present["image"][there],
                        text_present=block.present["text"][there],
                        labels=np.asarray(collection.labels[rows]),
                        payload=[collection.payload(int(row)) for row in rows],
                        **given,
                    )
                    added += len(rows)
                done += len(block.rows)
                progress(done, len(collection.rows))
            if not added:
                raise UserError(
                    f"Nothing of {collection.name} could be encoded; see the warnings above for the reasons."
                )
            writer.compact()
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return CodeIndex(target)
