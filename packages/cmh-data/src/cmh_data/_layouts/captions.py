"""Raw-image methods: paths, captions and labels of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmh_files import find_role, strings

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
    """Raw-image methods: `index` (paths), `caption` (texts), `label` or `category` (MITH, DCHMT, DSPH)."""
    labels = find_role(found, "labels")
    if labels is None or not {"index", "caption"} <= set(found):
        return None
    notes: list[str] = []
    raw = RawData(
        path=path, layout="paths, captions and labels: index, caption, label or category", notes=notes
    )
    raw.ids = _strip(found["index"].read(), notes, "index")
    raw.captions = _strip(found["caption"].read(), notes, "caption")
    raw.labels = class_table([read_rows_first(labels, len(raw.ids), notes)], raw, key=labels.key)[0]
    raw.chosen = {"ids": "index", "captions": "caption", "labels": labels.key}
    if "caption_one_hot" in found:
        raw.text = read_rows_first(found["caption_one_hot"], len(raw.ids), notes)
        raw.chosen["text"] = "caption_one_hot"
    notes.append("the layout holds image paths, not images: encode them and join by ids.")
    return raw


def _strip(values: NDArray[Any], notes: list[str], key: str) -> tuple[str, ...]:
    padded = strings(values)
    stripped = tuple(value.rstrip(" \0") for value in padded)
    if stripped != padded:
        notes.append(f"{key}: trailing blanks, which MATLAB files add, were taken off.")
    return stripped
