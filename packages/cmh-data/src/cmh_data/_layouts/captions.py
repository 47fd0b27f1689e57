"""Raw-image methods: paths, captions and labels of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import find_role, strings

from cmh_data._builders.label_lists import is_missing
from cmh_data._errors import DataError
from cmh_data._layouts.raw import RawData, class_table
from cmh_data._layouts.rows_first import read_rows_first

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_files import Variable
    from numpy.typing import NDArray

    from cmh_data._layouts.options import ReadOptions

    Found = Mapping[str, Variable]


def captions(path: Path, found: Found, _options: ReadOptions) -> RawData | None:
    """Raw-image methods: `index` (paths), `caption` (texts), `label` or `category` (MITH, DCHMT, DSPH).

    A blank path is a row without an image, a blank caption one without a text; labels may be missing.
    """
    if not {"index", "caption"} <= set(found):
        return None
    labels = find_role(found, "labels")
    notes: list[str] = []
    raw = RawData(
        path=path, layout="paths, captions and labels: index, caption, label or category", notes=notes
    )
    raw.ids = _strip(found["index"].read(), notes, "index")
    raw.captions = _strip(found["caption"].read(), notes, "caption")
    if len(raw.ids) != len(raw.captions):
        raise DataError(
            f"{path}: index and caption must have one entry for each item, but they have {len(raw.ids)} and "
            f"{len(raw.captions)}."
        )
    raw.chosen = {"ids": "index", "captions": "caption"}
    if labels is not None:
        raw.labels = class_table([read_rows_first(labels, len(raw.ids), notes)], raw, key=labels.key)[0]
        raw.chosen["labels"] = labels.key
    for side, what, values in (("image", "path", raw.ids), ("text", "caption", raw.captions)):
        present = np.array([not is_missing(value) for value in values], np.bool_)
        if not present.all():
            raw.present[side] = present
            notes.append(f"{int((~present).sum())} of {len(values)} rows have no {what}.")
    if "caption_one_hot" in found:
        raw.text = read_rows_first(found["caption_one_hot"], len(raw.ids), notes)
        raw.chosen["text"] = "caption_one_hot"
    notes.append(
        "the layout holds image paths, not images: encode the folder that holds it and the pictures "
        "(umml data build folder), or join features by ids."
    )
    return raw


def _strip(values: NDArray[Any], notes: list[str], key: str) -> tuple[str, ...]:
    padded = strings(values)
    stripped = tuple(value.rstrip(" \0") for value in padded)
    if stripped != padded:
        notes.append(f"{key}: trailing spaces, which MATLAB files add, were removed.")
    return stripped
