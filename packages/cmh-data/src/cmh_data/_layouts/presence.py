"""Which rows have an image and which a text: what a file says of it, and what its values may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_data._dataset.dataset import row_blocks
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_files import Variable
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray
    from cmh_data._layouts.raw import RawData

Missing = Literal["stated", "nan", "zero-rows"]
# Last parts of keys, in small letters without underscores, so that hasText is has_text. True means present
# under the first names, missing under the second.
_SIDES = {
    "image": ("image", "images", "img", "imgs"),
    "text": ("text", "texts", "txt", "txts", "caption", "captions", "tags"),
}
_PRESENT = (
    "{}present", "{}ispresent", "{}presence", "present{}", "has{}", "with{}", "{}mask", "mask{}",
    "{}available", "{}exists", "{}observed",
)  # fmt: skip
_MISSING = ("{}missing", "{}ismissing", "missing{}", "no{}", "without{}", "{}absent")


def _keys(patterns: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    return {
        side: frozenset(pattern.format(name) for name in names for pattern in patterns)
        for side, names in _SIDES.items()
    }


PRESENT_KEYS, MISSING_KEYS = _keys(_PRESENT), _keys(_MISSING)


def presence_keys(found: Mapping[str, Variable]) -> set[str]:
    """Name the keys that say which rows are there.

    Args:
        found: the variables of a file by key.

    Returns:
        Their keys.
    """
    known = frozenset().union(*PRESENT_KEYS.values(), *MISSING_KEYS.values())
    return {
        key
        for key, variable in found.items()
        if _name(key) in known and sum(size > 1 for size in variable.shape) <= 1
    }


def _name(key: str) -> str:
    return key.rsplit("/", 1)[-1].replace("_", "").lower()


def read_presence(raw: RawData, found: Mapping[str, Variable]) -> None:
    """Read the masks of a file into `raw.present`.

    Args:
        raw: the parts found so far, which give the number of rows.
        found: the variables of the file by key.

    Raises:
        DataError: a mask that is not 0 or 1, or has another number of entries.
    """
    for key in sorted(presence_keys(found)):
        name = _name(key)
        for side in _SIDES:
            if name in PRESENT_KEYS[side] or name in MISSING_KEYS[side]:
                mask = _mask(raw, key, found[key])
                there = ~mask if name in MISSING_KEYS[side] else mask
                raw.present[side] = there & raw.present[side] if side in raw.present else there
                if name != f"{side}present":
                    raw.notes.append(f"{key}: read as which rows have {_a(side)}.")


def _mask(raw: RawData, key: str, variable: Variable) -> NDArray[np.bool_]:
    values = np.asarray(variable.read()).ravel()
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        shown = ", ".join(map(str, np.unique(values)[:4].tolist()))
        raise DataError(
            f"{raw.path}: {key} must hold 0 or 1 for each row, but it holds {shown}; write 1 where the item "
            "is there and 0 where it is missing."
        )
    mask = values.astype(np.bool_)
    n = next((part.shape[0] for part in raw.parts.values()), len(mask))
    if len(mask) != n and raw.train is not None and len(mask) == np.size(raw.train):
        whole = np.ones(n, np.bool_)
        whole[np.asarray(raw.train).ravel().astype(np.int64)] = mask
        raw.notes.append(f"{key}: one entry for each training row; all other rows are complete.")
        return whole
    if len(mask) != n:
        raise DataError(f"{raw.path}: {key} has {len(mask)} entries, but there are {n} rows.")
    return mask


def mark_missing(raw: RawData, missing: Missing) -> None:
    """Mark rows as missing by their values, where the user says that these mean it.

    Args:
        raw: the parts found; rows of NaN become rows of zeros.
        missing: "stated": only what the file says; "nan": also rows that are all NaN; "zero-rows": also rows
            that are all zero, or all NaN.

    Raises:
        DataError: `missing` is something else.
    """
    if missing not in {"stated", "nan", "zero-rows"}:
        raise DataError(f'missing must be "stated", "nan" or "zero-rows", but it is {missing!r}.')
    for side, array in (("image", raw.image), ("text", raw.text)):
        if array is None or len(array.shape) < 2 or array.dtype.kind not in "buif":
            continue
        stated = raw.present.get(side)
        is_table = isinstance(array, np.ndarray)
        if missing == "stated":
            if stated is not None and is_table and len(stated) == len(array):
                _set(raw, side, _without_nan(array, ~stated))
            continue
        empty = np.concatenate([_empty(block, missing) for block in row_blocks(array)])
        if is_table:
            _set(raw, side, _without_nan(array, empty))
        if empty.any():
            raw.present[side] = ~empty if stated is None else stated & ~empty
            values = "NaN" if missing == "nan" else "zero or NaN"
            raw.notes.append(f"{int(empty.sum())} {side} rows that are all {values} were read as missing.")


def _empty(block: NDArray[Any], missing: Missing) -> NDArray[np.bool_]:
    flat = block.reshape(len(block), -1)
    no_number = np.isnan(flat).all(axis=1) if flat.dtype.kind == "f" else np.zeros(len(flat), np.bool_)
    empty: NDArray[np.bool_] = no_number if missing == "nan" else no_number | ~flat.any(axis=1)
    return empty


def _without_nan(array: RowArray, missing: NDArray[np.bool_]) -> RowArray:
    """The table with zeros where missing rows hold NaN, which means nothing there."""
    assert isinstance(array, np.ndarray)
    if array.dtype.kind != "f" or not missing.any() or not np.isnan(array[missing]).any():
        return array
    filled = array.copy()
    filled[missing] = np.nan_to_num(filled[missing], nan=0.0)
    return filled


def _set(raw: RawData, side: str, array: RowArray) -> None:
    if side == "image":
        raw.image = array
    else:
        raw.text = np.asarray(array)


def _a(side: str) -> str:
    return "an image" if side == "image" else "a text"
