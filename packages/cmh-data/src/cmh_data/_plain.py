"""The plain layout, `.npz` or HDF5: `image, text, labels, train, query[, retrieval]` and names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._assemble import Unlabelled, assemble
from cmh_data._errors import DataError, shorten
from cmh_data._hdf5 import open_hdf5, strings
from cmh_data._npz import read_npz

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_data._dataset import PairedDataset

REQUIRED = ("image", "text", "labels", "train", "query")
NAMES = {
    "ids": ("ids", "item_id", "image_id"),
    "label_names": ("label_names", "class_names"),
    "text_vocabulary": ("text_vocabulary", "vocabulary", "tag_names"),
}


def load_plain_npz(path: Path, *, unlabelled: Unlabelled = "refuse") -> PairedDataset:
    """Load the plain layout from an `.npz` file."""
    return from_arrays(path, read_npz(path), {}, unlabelled=unlabelled)


def load_plain_hdf5(path: Path, *, unlabelled: Unlabelled = "refuse") -> PairedDataset:
    """Load the plain layout, or this package's own format, which is the plain layout plus attributes."""
    with open_hdf5(path) as file:
        wanted = {*REQUIRED, "retrieval", "fine_labels", *(key for keys in NAMES.values() for key in keys)}
        missing_keys(path, file)
        arrays = {name: _read(file[name]) for name in file if name in wanted}
        attributes = dict(file.attrs)
    return from_arrays(path, arrays, attributes, unlabelled=unlabelled)


def missing_keys(path: Path, keys: Any) -> None:
    """Refuse a file that lacks a key of the plain layout, naming what was found."""
    missing = [key for key in REQUIRED if key not in keys]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}: expected the keys image, text, labels, train, query and, "
            f"if wanted, retrieval; found {shorten(sorted(keys))}."
        )


def from_arrays(
    path: Path, arrays: Mapping[str, Any], attributes: Mapping[str, Any], *, unlabelled: Unlabelled
) -> PairedDataset:
    """Make a data set of named arrays; messages name the file."""
    missing_keys(path, arrays)
    names = {
        role: next((strings(arrays[key]) for key in keys if key in arrays), ())
        for role, keys in NAMES.items()
    }
    fine = arrays.get("fine_labels")
    try:
        return assemble(
            **{key: arrays[key] for key in REQUIRED},
            retrieval=arrays.get("retrieval"),
            ids=names["ids"],
            label_names=names["label_names"],
            text_vocabulary=names["text_vocabulary"],
            fine_labels=None if fine is None else np.array(strings(fine), dtype=np.str_),
            name=str(attributes.get("name", path.stem)),
            provenance=json.loads(attributes.get("provenance", "{}")),
            stored_digest=attributes.get("digest"),
            unlabelled=unlabelled,
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read(item: Any) -> Any:
    return item.asstr()[()] if item.dtype.kind == "O" else item[()]
