"""Codes of a collection in one HDF5 file, which `umml evaluate` and any other program reads."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import h5py
import numpy as np

from umml_cli.runs.files import replacing
from umml_cli.search.collection import SIDES, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cmh_train import Model

    from umml_cli.search.collection import Collection, Side


def write_codes(
    collection: Collection,
    model: Model,
    path: Path,
    *,
    keep_outputs: bool,
    progress: Callable[[int, int], None],
) -> dict[Side, int]:
    """Encode a collection and write its codes.

    `image` and `text` are `(n, bits)` int8 of -1 and +1, rows of zeros where an item lacks the modality, as
    `image_present` and `text_present` say; `ids`, `labels`, `label_names` and `row`, the row of the data, go
    with them, and `image_outputs` and `text_outputs`, float32, where asked for.

    Args:
        collection: the items.
        model: what encodes them.
        path: the HDF5 file.
        keep_outputs: write the network's outputs too.
        progress: told how many of how many rows are encoded.

    Returns:
        How many items have an image code and a text code.
    """
    n, bits = len(collection.rows), model.bits
    strings = h5py.string_dtype("utf-8")
    counts: dict[Side, int] = dict.fromkeys(SIDES, 0)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        chunk = (min(max(n, 1), 4096), bits)
        for side in SIDES:
            file.create_dataset(side, (n, bits), np.int8, chunks=chunk, compression="gzip", shuffle=True)
            file.create_dataset(f"{side}_present", (n,), np.bool_)
            if keep_outputs:
                file.create_dataset(f"{side}_outputs", (n, bits), np.float32, chunks=chunk)
        start = 0
        for block in blocks(collection):
            rows = slice(start, start + len(block.rows))
            for side in SIDES:
                present = block.present[side]
                codes = np.where(block.outputs[side] >= 0, 1, -1) * present[:, None]
                file[side][rows] = codes.astype(np.int8)
                file[f"{side}_present"][rows] = present
                counts[side] += int(present.sum())
                if keep_outputs:
                    file[f"{side}_outputs"][rows] = np.where(present[:, None], block.outputs[side], 0)
            start = rows.stop
            progress(start, n)
        file["row"] = collection.rows
        file["labels"] = collection.labels[collection.rows]
        file.create_dataset("ids", data=[collection.ids[row] for row in collection.rows], dtype=strings)
        file.create_dataset("label_names", data=list(collection.label_names), dtype=strings)
        file.attrs["made_by"] = f"umml encode {version('umml-cli')}"
        file.attrs["bits"] = bits
        file.attrs["model"] = json.dumps({"method": model.description.method, "digest": model.digest})
        file.attrs["data"] = json.dumps({"name": collection.name, "digest": collection.digest})
    return counts
