"""The names of rows, labels and words that stand beside the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from cmh_files import strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_files import Variable

    from cmh_data._layouts.raw import RawData

NAME_KEYS: Mapping[str, tuple[str, ...]] = {
    "ids": ("ids", "item_id", "image_id"),
    "label_names": ("label_names", "class_names"),
    "text_vocabulary": ("text_vocabulary", "vocabulary", "tag_names"),
}


def add_names(raw: RawData, found: Mapping[str, Variable]) -> None:
    """Read the names of rows, labels and words that stand beside the tables."""
    for role, keys in NAME_KEYS.items():
        key = next((key for key in keys if key in found), None)
        if key is not None:
            names = strings(found[key].read())
            if role == "ids":
                raw.ids = names
            elif role == "label_names":
                raw.label_names = names
            else:
                raw.text_vocabulary = names
    if "captions" in found:
        raw.captions = tuple(strings(found["captions"].read()))
    if "fine_labels" in found:
        raw.fine_labels = np.array(strings(found["fine_labels"].read()), dtype=np.str_)
