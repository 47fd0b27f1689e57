"""RoPH's Wikipedia file: one struct with items in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_data._layouts.tables import read_roles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_files import Variable

    from cmh_data._layouts.options import ReadOptions
    from cmh_data._layouts.raw import RawData

    Found = Mapping[str, Variable]


def roph(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """RoPH's Wikipedia file: one struct with items in columns."""
    prefix = next((key[:-3] for key in found if key.endswith("/X1")), None)
    if prefix is None or not {f"{prefix}/X2", f"{prefix}/Y"} <= set(found):
        return None
    roles = {"image": found[f"{prefix}/X1"], "text": found[f"{prefix}/X2"], "labels": found[f"{prefix}/Y"]}
    raw = read_roles(path, "struct X1, X2, Y with items in columns (RoPH)", roles, options)
    parts = {
        name: np.asarray(found[key].read()).ravel()
        for name, key in (("train", f"{prefix}/split/ind_train"), ("query", f"{prefix}/split/ind_test"))
        if key in found
    }
    if parts and all(map(len, parts.values())) and min(int(rows.min()) for rows in parts.values()) == 1:
        # One side alone seldom holds the last row, so both shift when neither holds a 0.
        parts = {name: rows.astype(np.int64) - 1 for name, rows in parts.items()}
        raw.notes.append("split: row numbers counted from 1 were shifted to 0.")
    raw.train, raw.query = parts.get("train"), parts.get("query")
    return raw
