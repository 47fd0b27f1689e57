"""One table for each view and side: `I_tr, T_tr, L_tr, I_te, ...` and, where they are there, `I_db` ..."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._errors import DataError
from cmh_data._layouts.raw import RawData, class_table, numbers
from cmh_data._layouts.splits import SIDES, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmh_files import Variable
    from numpy.typing import NDArray

    from cmh_data._layouts.options import ReadOptions

# Words for a view, to its letter. X and Y are image and text only where labels have a name of their own.
VIEWS: Mapping[str, str] = {
    "i": "I", "img": "I", "imgs": "I", "image": "I", "images": "I", "v": "I", "x": "I",
    "t": "T", "txt": "T", "text": "T", "texts": "T", "tag": "T", "tags": "T", "y": "T",
    "l": "L", "lab": "L", "label": "L", "labels": "L", "p": "P",
}  # fmt: skip
ORDER = ("retrieval", "train", "query")


def sides(path: Path, found: Mapping[str, Variable], options: ReadOptions) -> RawData | None:
    """Wikipedia releases, UCI digits, IAPR TC-12 of UCCH, CIRH: tables of each view for two or three sides.

    Args:
        path: the file or folder.
        found: its variables by key.
        options: the views to take.

    Returns:
        The parts, or None where the keys are others. Rows stand in the order database, train, query; training
        rows that are rows of the database are not repeated.

    Raises:
        DataError: views that are not there, or tables that do not fit.
    """
    tables = {place: key for key in found if (place := _view_and_side(key)) is not None}
    shown = {view for view, _ in tables}
    given = [side for side in ORDER if any(other == side for _, other in tables)]
    views = [view for view in "ITP" if all((view, side) in tables for side in given)]
    if len(given) < 2 or "query" not in given or len(views) < 2:
        return None
    if "L" not in shown and not any("_" in key for key in tables.values()):
        return None  # XTrain, YTrain of other fields: features and classes
    if not set(options.views) <= set(views):
        raise DataError(f"{path} holds the views {', '.join(views)}; choose two of them with views=.")
    image, text = ([found[tables[view, side]] for side in given] for view in options.views)
    named = ", ".join(tables[view, side] for side in given for view in options.views)
    raw = RawData(path=path, layout=f"tables for each side, {named}")
    parts = {"image": _read(raw, image), "text": _read(raw, text)}
    raw.chosen = {"image": image[0].key, "text": text[0].key}
    if all(("L", side) in tables for side in given):
        labels = [found[tables["L", side]] for side in given]
        parts["labels"] = _read_labels(raw, labels, [len(table) for table in parts["image"]])
        raw.chosen["labels"] = labels[0].key
    else:
        raw.notes.append(
            "the file holds no labels; they stand in the lists trainset_txt_img_cat.list beside it."
        )
    for number, side in enumerate(given):
        counts = {name: len(tables_of[number]) for name, tables_of in parts.items()}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise DataError(f"{path}: the tables of the {side} rows must have the same length, but {said}.")
    _join(raw, given, parts)
    for view in set(views) - set(options.views):
        listed = ", ".join(tables[view, side] for side in given)
        raw.notes.append(
            f'{listed}: a third view, not read; views="{options.views[0]}{view}" takes it as text.'
        )
    return raw


def _view_and_side(key: str) -> tuple[str, str] | None:
    words = words_of(key)
    if len(words) == 1:  # databaseL, trainI in small letters
        return None
    sides_found = {SIDES[word] for word in words if word in SIDES and word not in {"base", "v"}}
    rest = [word for word in words if word not in SIDES]
    views = {VIEWS[word] for word in rest if word in VIEWS}
    if "img" in rest and "lab" in rest:
        views = {"L"}
    if len(sides_found) != 1 or len(views) != 1 or any(word not in VIEWS for word in rest):
        return None
    side = sides_found.pop()
    return None if side == "validation" else (views.pop(), side)


def _read(raw: RawData, variables: list[Variable]) -> list[NDArray[Any]]:
    """Read one view; all its tables are as wide, so a table stored sideways shows."""
    tables = [variable.read() for variable in variables]
    if any(table.ndim != 2 for table in tables):
        raise DataError(f"{' and '.join(map(str, variables))} must be tables of the same width.")
    if len({table.shape[1] for table in tables}) > 1:
        turned = [np.ascontiguousarray(table.T) for table in tables]
        if len({table.shape[1] for table in turned}) > 1:
            raise DataError(f"{' and '.join(map(str, variables))} must be tables of the same width.")
        raw.notes.append(
            f"{variables[0].key}: stored with items in columns, transposed so that the rows come first."
        )
        return turned
    return tables


def _read_labels(raw: RawData, variables: list[Variable], lengths: list[int]) -> list[NDArray[Any]]:
    arrays = []
    for variable, length in zip(variables, lengths, strict=True):
        array = variable.read()
        if array.ndim == 2 and array.shape[0] != length and array.shape[1] == length:
            array = array.T
        arrays.append(array)
    return class_table(arrays, raw, key=", ".join(variable.key for variable in variables))


def _join(raw: RawData, given: list[str], parts: Mapping[str, list[NDArray[Any]]]) -> None:
    """Put the sides below each other; training rows that stand in the database are found there."""
    counts = dict(zip(given, (len(table) for table in parts["image"]), strict=True))
    own = np.arange(counts.get("train", 0))  # training rows that stand nowhere else
    train: NDArray[np.int64] = own
    if "retrieval" in counts and "train" in counts:
        at = {side: number for number, side in enumerate(given)}
        places: dict[bytes, list[int]] = {}
        keys = {
            side: [
                b"".join(table[at[side]][row].tobytes() for table in parts.values())
                for row in range(counts[side])
            ]
            for side in ("retrieval", "train")
        }
        for row, key in reversed(list(enumerate(keys["retrieval"]))):
            places.setdefault(key, []).append(row)
        inside = [places[key].pop() if places.get(key) else -1 for key in keys["train"]]
        where = np.array(inside, np.int64)
        own = np.flatnonzero(where < 0)
        train = where.copy()
        train[own] = counts["retrieval"] + np.arange(len(own))
        raw.notes.append(
            f"{counts['train'] - len(own)} of {counts['train']} training rows are rows of the database."
        )
        if len(own):
            raw.notes.append(f"{len(own)} training rows are not rows of the database; they are not ranked.")
    whole = {}
    for name, tables in parts.items():
        kept = [table[own] if side == "train" else table for side, table in zip(given, tables, strict=True)]
        whole[name] = np.concatenate(kept)
    raw.image, raw.text, raw.labels = whole["image"], whole["text"], whole.get("labels")
    first_query = len(whole["image"]) - counts["query"]
    raw.query = numbers(range(first_query, first_query + counts["query"]))
    if "retrieval" in counts:
        raw.retrieval = numbers(range(counts["retrieval"]))
        raw.train = train if "train" in counts else raw.retrieval
        before = "database rows" + (
            ", the training rows that are not among them" if len(own) and "train" in counts else ""
        )
        raw.notes.append(f"query rows were put after the {before}.")
        if "train" not in counts:
            raw.notes.append("training takes the whole database.")
    else:
        raw.train = raw.retrieval = train
        raw.notes.append("test rows were put after the train rows.")


def _row_bytes(tables: list[NDArray[Any]]) -> list[bytes]:
    """The values of each row in all tables."""
    return [b"".join(table[row].tobytes() for table in tables) for row in range(len(tables[0]))]
