"""DSCMR's Pascal Sentence: three tables for each side, also where one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cmh_data._errors import DataError
from cmh_data._layouts.raw import RawData, class_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_files import Variable

    from cmh_data._layouts.options import ReadOptions

    Found = Mapping[str, Variable]


def six_tables(path: Path, found: Found, _options: ReadOptions) -> RawData | None:
    """DSCMR's Pascal Sentence: `train_img, train_txt, train_img_lab` and the same for test."""
    names = [f"{side}_{part}" for side in ("train", "test") for part in ("img", "txt", "img_lab")]
    there = [name for name in names if name in found]
    if len(there) < 3:
        return None
    missing = [name for name in names if name not in found]
    layout = "six tables train_img, train_txt, train_img_lab, test_... (Pascal Sentence of DSCMR)"
    if not missing:
        return None  # whole: one table for each view and side, see `sides`
    sides = [
        side for side in ("train", "test") if all(f"{side}_{p}" in found for p in ("img", "txt", "img_lab"))
    ]
    if not sides:
        raise DataError(
            f"{path} lacks {', '.join(missing)}, so neither train nor test rows have both modalities."
        )
    side = sides[0]
    raw = RawData(path=path, layout=layout)
    raw.image, raw.text = found[f"{side}_img"].read(), found[f"{side}_txt"].read()
    raw.labels = class_table([found[f"{side}_img_lab"].read()], raw, key=f"{side}_img_lab")[0]
    raw.chosen = {"image": f"{side}_img", "text": f"{side}_txt", "labels": f"{side}_img_lab"}
    other = "train" if side == "test" else "test"
    raw.notes.append(
        f"{', '.join(missing)} is missing, so the {other} rows cannot be paired and were left out."
    )
    return raw
