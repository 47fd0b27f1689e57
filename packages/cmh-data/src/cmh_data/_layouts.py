"""The known layouts, most particular first; each reads the variables it knows and says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_files import KEY_NAMES, Variable, common_rows, dense_from_columns, find_role, strings

from cmh_data._errors import DataError, MissingPartsError
from cmh_data._presence import presence_keys, read_presence
from cmh_data._raw import RawData, numbers, one_hot
from cmh_data._roles import describe, read_image, read_rows_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Found = Mapping[str, Variable]
    Layout = Callable[[Path, Found, "ReadOptions"], RawData | None]

NAME_KEYS = {
    "ids": ("ids", "item_id", "image_id"),
    "label_names": ("label_names", "class_names"),
    "text_vocabulary": ("text_vocabulary", "vocabulary", "tag_names"),
}
SPLIT_KEYS = ("train", "query", "retrieval")


class ReadOptions:
    """What only the user can know where a file does not say it.

    Args:
        n_rows: the number of rows, where square arrays leave it open.
        pixel_axes: "height-width", "width-height" or "auto".
        views: which two of a file's views are image and text, by their letters: I, T or P.
    """

    def __init__(self, *, n_rows: int | None = None, pixel_axes: str = "auto", views: str = "IT") -> None:
        if pixel_axes not in {"auto", "height-width", "width-height"}:
            raise DataError(
                f"pixel_axes must be auto, height-width or width-height, but it is {pixel_axes!r}."
            )
        if len(views) != 2 or len(set(views)) != 2:
            raise DataError(f"views must be two different letters such as IT or IP, but it is {views!r}.")
        self.n_rows, self.pixel_axes, self.views = n_rows, pixel_axes, views


def recognise(path: Path, found: list[Variable], options: ReadOptions) -> RawData:
    """Read variables by the first layout that knows them.

    Raises:
        DataError: no layout does; the message lists what was found and what was expected.
    """
    by_key: dict[str, Variable] = {}
    for variable in found:
        by_key.setdefault(variable.key, variable)
    for layout in LAYOUTS:
        raw = layout(path, by_key, options)
        if raw is not None:
            read_presence(raw, by_key)
            for part, name in raw.chosen.items():
                raw.chosen[part] = (
                    f"{name} {by_key[name].shape} {by_key[name].dtype}" if name in by_key else name
                )
            return raw
    roles = "; ".join(f"{role}: {', '.join(names)}" for role, names in KEY_NAMES.items())
    raise MissingPartsError(
        f"{path} fits no known layout: found {describe(found)}; expected keys such as {roles}."
    )


def plain(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """This package's own format and the plain layout: `image, text, labels, train, query[, retrieval]`."""
    if "labels" not in found or not {"image", "text", "indptr"} & set(found):
        return None
    notes: list[str] = []
    sparse_text = {"indptr", "indices", "shape"} <= set(found)
    raw = RawData(path=path, layout="plain arrays image, text, labels, train, query", notes=notes)
    if "image" in found:
        variable = found["image"]
        is_pixels = len(variable.shape) == 4
        n = variable.shape[0] if variable.shape else 0
        raw.image = (
            read_image(variable, n, [], pixel_axes=options.pixel_axes) if is_pixels else variable.read()
        )
        raw.chosen["image"] = "image"
    if "text" in found:
        raw.text, raw.chosen["text"] = found["text"].read(), "text"
    elif sparse_text:
        raw.text, raw.chosen["text"] = _dense_rows(path, found), "indptr"
        notes.append("indptr, indices, shape: a sparse table of ones was filled in as text.")
    raw.labels, raw.chosen["labels"] = found["labels"].read(), "labels"
    for name in SPLIT_KEYS:
        if name in found:
            setattr(raw, name, found[name].read())
    _add_names(raw, found)
    return raw


def roph(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """RoPH's Wikipedia file: one struct with items in columns."""
    prefix = next((key[:-3] for key in found if key.endswith("/X1")), None)
    if prefix is None or not {f"{prefix}/X2", f"{prefix}/Y"} <= set(found):
        return None
    roles = {"image": found[f"{prefix}/X1"], "text": found[f"{prefix}/X2"], "labels": found[f"{prefix}/Y"]}
    raw = _read_roles(path, "struct X1, X2, Y with items in columns (RoPH)", roles, options)
    for name, key in (("train", "ind_train"), ("query", "ind_test")):
        variable = found.get(f"{prefix}/split/{key}")
        if variable is not None:
            # One side alone seldom holds the last row, so both shift when neither holds a 0.
            setattr(raw, name, np.asarray(variable.read()).ravel())
    if raw.train is not None and raw.query is not None and len(raw.train) and len(raw.query):
        both = np.concatenate([raw.train, raw.query])
        if both.min() == 1:
            raw.train, raw.query = raw.train.astype(np.int64) - 1, raw.query.astype(np.int64) - 1
            raw.notes.append("split: row numbers counted from 1 were shifted to 0.")
    return raw


def train_test(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """Wikipedia releases and UCI digits: `I_tr, T_tr, I_te, T_te`, and a third view `P` or none."""
    views = [view for view in "ITP" if {f"{view}_tr", f"{view}_te"} <= set(found)]
    if len(views) < 2:
        return None
    if not set(options.views) <= set(views):
        raise DataError(f"{path} holds the views {', '.join(views)}; choose two of them with views=.")
    image, text = list(options.views)
    raw = RawData(path=path, layout="train and test tables I_tr, T_tr, I_te, T_te (Wikipedia, UCI digits)")
    raw.image = _stack(found[f"{image}_tr"], found[f"{image}_te"])
    raw.text = _stack(found[f"{text}_tr"], found[f"{text}_te"])
    raw.chosen = {"image": f"{image}_tr", "text": f"{text}_tr"}
    if {"L_tr", "L_te"} <= set(found):
        raw.labels = one_hot(_stack(found["L_tr"], found["L_te"]), raw.notes, key="L_tr, L_te")
        raw.chosen["labels"] = "L_tr"
    else:
        raw.notes.append(
            "the file holds no labels; they stand in the lists trainset_txt_img_cat.list beside it."
        )
    _split_in_order(raw, found[f"{image}_tr"].shape[0], found[f"{image}_te"].shape[0])
    for view in set(views) - set(options.views):
        raw.notes.append(
            f'{view}_tr, {view}_te: a third view, not read; views="{image}{view}" takes it as text.'
        )
    raw.notes.append("I_tr, I_te and so on: test rows were put after the train rows.")
    return raw


def six_tables(path: Path, found: Found, _options: ReadOptions) -> RawData | None:
    """DSCMR's Pascal Sentence: `train_img, train_txt, train_img_lab` and the same for test."""
    names = [f"{side}_{part}" for side in ("train", "test") for part in ("img", "txt", "img_lab")]
    there = [name for name in names if name in found]
    if len(there) < 3:
        return None
    missing = [name for name in names if name not in found]
    layout = "six tables train_img, train_txt, train_img_lab, test_... (Pascal Sentence of DSCMR)"
    if not missing:
        raw = RawData(path=path, layout=layout)
        raw.image = _stack(found["train_img"], found["test_img"])
        raw.text = _stack(found["train_txt"], found["test_txt"])
        raw.labels = one_hot(
            _stack(found["train_img_lab"], found["test_img_lab"]), raw.notes, key="train_img_lab"
        )
        _split_in_order(raw, found["train_img"].shape[0], found["test_img"].shape[0])
        raw.chosen = {"image": "train_img", "text": "train_txt", "labels": "train_img_lab"}
        return raw
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
    raw.labels = one_hot(found[f"{side}_img_lab"].read(), raw.notes, key=f"{side}_img_lab")
    raw.chosen = {"image": f"{side}_img", "text": f"{side}_txt", "labels": f"{side}_img_lab"}
    other = "train" if side == "test" else "test"
    raw.notes.append(
        f"{', '.join(missing)} is missing, so the {other} rows cannot be paired and were left out."
    )
    return raw


def database_test(path: Path, found: Found, _options: ReadOptions) -> RawData | None:
    """IAPR TC-12 of UCCH: `VDatabase, YDatabase, databaseL, VTest, YTest, testL`."""
    if not {"VDatabase", "YDatabase", "databaseL", "VTest", "YTest", "testL"} <= set(found):
        return None
    raw = RawData(
        path=path, layout="database and test tables VDatabase, YDatabase, databaseL, VTest, ... (UCCH)"
    )
    raw.image = _stack(found["VDatabase"], found["VTest"])
    raw.text = _stack(found["YDatabase"], found["YTest"])
    raw.labels = one_hot(_stack(found["databaseL"], found["testL"]), raw.notes, key="databaseL, testL")
    raw.chosen = {"image": "VDatabase", "text": "YDatabase", "labels": "databaseL"}
    _split_in_order(raw, found["VDatabase"].shape[0], found["VTest"].shape[0])
    raw.notes.append("test rows were put after the database rows; training takes the whole database.")
    return raw


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
    raw.labels = one_hot(read_rows_first(labels, len(raw.ids), notes), notes, key=labels.key)
    raw.chosen = {"ids": "index", "captions": "caption", "labels": labels.key}
    if "caption_one_hot" in found:
        raw.text = read_rows_first(found["caption_one_hot"], len(raw.ids), notes)
        raw.chosen["text"] = "caption_one_hot"
    notes.append("the layout holds image paths, not images: encode them and join by ids.")
    return raw


def by_roles(path: Path, found: Found, options: ReadOptions) -> RawData | None:
    """Every layout with one image, one text and one label table: DCMH, AGAH, DADH, JDSH, UCCH, CFRH, UMML."""
    roles = {role: variable for role in KEY_NAMES if (variable := find_role(found, role)) is not None}
    if not roles:
        return None
    raw = _read_roles(path, _name_of(roles), roles, options)
    n = len(next(iter(raw.parts.values())))
    query, database = found.get("param/indexQuery"), found.get("param/indexDatabase")
    if query is not None and database is not None:
        raw.query, raw.retrieval = query.read().ravel(), database.read().ravel()
        both = np.concatenate([raw.query, raw.retrieval])
        if len(both) and both.min() >= 1 and both.max() == n:
            raw.query, raw.retrieval = raw.query - 1, raw.retrieval - 1
            raw.notes.append("param: row numbers counted from 1 were shifted to 0.")
    unused = (
        set(found)
        - {variable.key for variable in roles.values()}
        - {"param/indexQuery", "param/indexDatabase"}
    )
    _add_names(raw, found)
    unused -= presence_keys(found)
    unused -= {key for keys in NAME_KEYS.values() for key in keys}
    if unused:
        raw.notes.append(f"not read: {', '.join(sorted(unused)[:8])}.")
    return raw


LAYOUTS: tuple[Layout, ...] = (plain, roph, train_test, six_tables, database_test, captions, by_roles)


def _read_roles(path: Path, layout: str, roles: Mapping[str, Variable], options: ReadOptions) -> RawData:
    raw = RawData(path=path, layout=layout, chosen={role: variable.key for role, variable in roles.items()})
    n = common_rows(roles, options.n_rows)
    if "image" in roles:
        raw.image = read_image(roles["image"], n, raw.notes, pixel_axes=options.pixel_axes)
    if "text" in roles:
        raw.text = read_rows_first(roles["text"], n, raw.notes)
    if "labels" in roles:
        raw.labels = one_hot(
            read_rows_first(roles["labels"], n, raw.notes), raw.notes, key=roles["labels"].key
        )
    if raw.text is not None and raw.text.shape[1] == 1387:
        raw.notes.append(
            "text is 1387 wide: MIR-Flickr25K has 1386 tags, the last column is UMML's unpaired marker."
        )
    return raw


def _name_of(roles: Mapping[str, Variable]) -> str:
    keys = {role: variable.key for role, variable in roles.items()}
    image = roles.get("image")
    pixels = image is not None and len(image.shape) == 4
    several = len({variable.file for variable in roles.values()}) > 1
    named = ", ".join(keys.values())
    if set(keys) != {"image", "text", "labels"}:
        return f"a part of a set, {named}"
    if keys["image"] in {"IAll", "XAll"}:
        return f"{'several files' if several else 'one file'} {named} ({'pixels' if pixels else 'features'})"
    if keys["image"] == "images":
        return f"merged file {named} ({'pixels; DCMH, SSAH, AGAH' if pixels else 'features; DADH'})"
    return f"tables {named}"


def _stack(first: Variable, second: Variable) -> NDArray[Any]:
    top, bottom = first.read(), second.read()
    if top.ndim != 2 or bottom.ndim != 2 or top.shape[1] != bottom.shape[1]:
        raise DataError(f"{first} and {second} must be tables of the same width.")
    return np.concatenate([top, bottom])


def _split_in_order(raw: RawData, n_train: int, n_query: int) -> None:
    raw.train, raw.query = numbers(range(n_train)), numbers(range(n_train, n_train + n_query))
    raw.retrieval = raw.train


def _add_names(raw: RawData, found: Found) -> None:
    for role, keys in NAME_KEYS.items():
        key = next((key for key in keys if key in found), None)
        if key is not None:
            setattr(raw, role, strings(found[key].read()))
    if "fine_labels" in found:
        raw.fine_labels = np.array(strings(found["fine_labels"].read()), dtype=np.str_)


def _strip(values: NDArray[Any], notes: list[str], key: str) -> tuple[str, ...]:
    padded = strings(values)
    stripped = tuple(value.rstrip(" \0") for value in padded)
    if stripped != padded:
        notes.append(f"{key}: trailing blanks, which MATLAB files add, were taken off.")
    return stripped


def _dense_rows(path: Path, found: Found) -> NDArray[np.uint8]:
    starts, columns, shape = (found[key].read().ravel() for key in ("indptr", "indices", "shape"))
    if len(shape) != 2:
        raise DataError(f"{path}: shape must hold two numbers, but it holds {len(shape)}.")
    ones = np.ones(len(columns), np.uint8)
    turned = dense_from_columns(
        f"{path}: indices", values=ones, rows=columns, starts=starts, shape=(int(shape[1]), int(shape[0]))
    )
    return np.ascontiguousarray(turned.T)
