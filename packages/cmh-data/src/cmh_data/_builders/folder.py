"""Anyone's own data: a folder of pictures and one table, either of which may have gaps."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders import pictures, tables
from cmh_data._builders.archive import Archive
from cmh_data._builders.bag_of_words import bag_of_words
from cmh_data._builders.common import built
from cmh_data._builders.label_lists import is_missing, label_lists
from cmh_data._errors import DataError, shorten

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_data._builders.built_data import BuiltData

LARGEST_TEXTS = 1 << 30  # characters of all texts together
LARGEST_LABEL_TABLE = 1 << 30  # bytes
SIDES: Mapping[str, str] = {
    "train": "train", "training": "train", "query": "query", "queries": "query", "test": "query",
    "testing": "query", "retrieval": "retrieval", "database": "retrieval", "db": "retrieval",
    "gallery": "retrieval", "val": "retrieval", "valid": "retrieval", "validation": "retrieval",
    "dev": "retrieval", "restval": "retrieval",
}  # fmt: skip


def build_folder(
    source: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    label_separator: str | None = None,
    **words: Any,
) -> BuiltData:
    r"""Build a data set from one's own pictures and one table of their texts and labels.

    The table is CSV, TSV, JSONL or Parquet (with the extra `parquet`). Its columns `image`, `text`, `labels`
    and `split`, or what people call these, are found by their names. `image` is a path inside the folder,
    `labels` a list, a number, or names joined by `;`, `|` or `,`, `split` one of train, query (test) and
    retrieval (database). Only image or text is required: rows without a picture, rows without a text, rows
    without labels, and pictures that no row names are kept, and `image_present` and `text_present` say so.
    Null, NaN and blank cells, and the words that pandas writes for these, are nothing and not a word.

    Memory: the table is read row by row; texts, four bytes a word, and the tables of words and labels are
    held; pictures are decoded one by one when rows are read, below 1 GB whatever their sizes.

    Args:
        source: the folder, or one zip file.
        columns: which column is which, such as `{"image": "filename", "text": "caption"}`.
        separator: of a CSV file; None: found from its first line.
        encoding: of a CSV or JSONL file; None: UTF-8, or UTF-16 with a byte order mark.
        label_separator: between labels; None: found from the column.
        **words: how texts become words, see `bag_of_words`.

    Returns:
        The rows of the table in their order, then the pictures that no row names.

    Raises:
        DataError: the table is missing or several, cannot be read, or holds nothing usable.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     lines = "filename;caption;tags", "1.jpg;red cat;cat|pet", "2.jpg;;cat", "3.jpg;red;pet"
        ...     _ = Path(folder, "items.csv").write_text("\n".join(lines))
        ...     built = build_folder(folder)
        >>> built.label_names, built.text_vocabulary, built.text_present.tolist()
        (('cat', 'pet'), ('red',), [True, False, True])
    """
    archive = Archive(Path(source))
    table = _table(archive)
    rows = _read(archive, table, columns, separator, encoding)
    labels, how = label_lists(rows.labels, separator=label_separator)
    images, notes = _find_images(archive, table, rows.images)
    # Where rows name images that are nowhere here, features will come, and the pictures are something else.
    unnamed = _unnamed_pictures(archive, set(images)) if any(images) or not any(rows.images) else []
    if unnamed:
        notes.append(f"{len(unnamed)} pictures that no row names were added as rows without text and labels")
    n = len(images) + len(unnamed)
    texts = rows.texts + [""] * len(unnamed)
    text_present = np.array([bool(text) for text in texts], np.bool_)
    if not text_present.any():
        raise DataError(f"{archive.source}: no row of {table} has a text.")
    image_present = np.ones(n, np.bool_)
    image_present[: len(images)] = [bool(path) for path in (images if any(images) else rows.images)]
    if not image_present.any():
        raise DataError(f"{archive.source}: no row of {table} has an image.")
    vocabulary_table, vocabulary = bag_of_words(texts, **words)
    label, label_names = _label_table(archive, [*labels, *[[]] * len(unnamed)])
    stated = [*rows.images, *unnamed]
    ids = [name or f"{table}#{number}" for number, name in enumerate(stated, start=1)]
    counts = {
        "rows without a text": n - int(text_present.sum()),
        "rows without an image": n - int(image_present.sum()),
        "rows without a label": n - int(label.any(axis=1).sum()),
    }
    notes += [f"{count} of {n} {what}" for what, count in counts.items() if count]
    if how:
        notes.append(f"labels: {how}")
    return built(
        archive,
        name=archive.source.resolve().stem,
        ids=ids,
        image_ids=ids if len(set(ids)) < n else [],
        image_names=[*images, *unnamed] if any(images) or unnamed else [],
        text=vocabulary_table,
        text_vocabulary=vocabulary,
        label=label,
        label_names=label_names,
        steps=[f"table {table}: {rows.columns}", *notes, f"words {words or 'as default'}"],
        split=_split(table, rows.sides, n),
        image_present=image_present,
        text_present=text_present,
        check_images=True,
        captions=texts,
    )


class _Rows:
    """The columns that matter, row by row."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self.texts: list[str] = []
        self.labels: list[Any] = []
        self.sides: list[str] = []
        self.columns = ""


def _table(archive: Archive) -> str:
    found = [name for name in archive.names() if name.lower().endswith(tables.ENDINGS)]
    if len(found) != 1:
        endings = ", ".join(tables.ENDINGS[:-1])
        raise DataError(
            f"{archive.source} must hold one table {endings} or {tables.ENDINGS[-1]}, "
            f"but holds {shorten(found)}."
        )
    return found[0]


def _read(
    archive: Archive,
    table: str,
    columns: Mapping[str, str] | None,
    separator: str | None,
    encoding: str | None,
) -> _Rows:
    rows = _Rows()
    found: dict[str, None] = {}
    for record in tables.records(archive, table, separator=separator, encoding=encoding):
        found.update(dict.fromkeys(map(str, record)))
    if not found:
        raise DataError(f"{archive.source}: {table} holds no row.")
    named = tables.find_columns(list(found), table, columns)
    characters = 0
    for record in tables.records(archive, table, separator=separator, encoding=encoding):
        cells = {role: record.get(column) for role, column in named.items()}
        text = _text(cells.get("text"))
        characters += len(text)
        if characters > LARGEST_TEXTS:
            raise DataError(
                f"{archive.source}: the texts of {table} are longer than {LARGEST_TEXTS} characters."
            )
        rows.images.append(_image_path(table, cells.get("image")))
        rows.texts.append(text)
        rows.labels.append(cells.get("labels"))
        rows.sides.append("" if is_missing(cells.get("split")) else str(cells["split"]).strip())
    unread = [column for column in found if column not in named.values()]
    said = ", ".join(role if role == column else f"{role} from {column}" for role, column in named.items())
    rows.columns = said + (f"; not read: {shorten(unread)}" if unread else "")
    return rows


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):  # several captions of one image
        return " ".join(text for one in value if (text := _text(one)))
    return "" if is_missing(value) else str(value).strip()


def _image_path(table: str, value: Any) -> str:
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        if isinstance(value, (int, float)):
            return str(int(value)) if float(value).is_integer() else str(value)
        raise DataError(
            f"{table}: image must be the path of a picture in the folder, but a row holds a "
            f"{type(value).__name__}; save the pictures as files and name them."
        )
    if re.match(r"(https?|ftp|s3|gs)://", value.strip(), re.IGNORECASE):
        raise DataError(
            f"{table}: image must be the path of a picture in the folder, but a row holds the address "
            f"{value.strip()[:80]}; fetch the pictures first, nothing is downloaded here."
        )
    return value.strip()


def _find_images(archive: Archive, table: str, stated: Sequence[str]) -> tuple[list[str], list[str]]:
    """The path of each row's picture in the archive, "" where there is none, and what had to be done."""
    names = list(archive.names())
    exact = set(names)
    composed = {unicodedata.normalize("NFC", name): name for name in reversed(names)}
    by_end: dict[str, list[str]] = {}
    for name in names:
        by_end.setdefault(unicodedata.normalize("NFC", name.rsplit("/", 1)[-1]), []).append(name)
    found, moved = [], 0
    for path in stated:
        if not path or path in exact:
            found.append(path)
            continue
        plain = unicodedata.normalize("NFC", path)
        slashes = plain.replace("\\", "/").removeprefix("./")
        match = composed.get(plain) or composed.get(slashes)
        if match is None and re.match(r"/|[A-Za-z]:|\.\./", slashes):  # another machine's path
            candidates = by_end.get(slashes.rsplit("/", 1)[-1], [])
            match = candidates[0] if len(candidates) == 1 else None
            moved += match is not None
        found.append(match or "")
    notes = []
    if moved:
        notes.append(f"{moved} paths that lead out of the folder were found by the picture's name")
    absent = [path for path, match in zip(stated, found, strict=True) if path and not match]
    if absent and any(found):
        notes.append(f"{len(absent)} pictures that {table} names are not there, such as {absent[0]}")
    return found, notes


def _unnamed_pictures(archive: Archive, named: set[str]) -> list[str]:
    return sorted(
        name
        for name in archive.names()
        if name not in named
        and name.lower().endswith(pictures.ENDINGS)
        and not PurePosixPath(name).name.startswith(".")
        and archive.size(name) > 0
    )


def _label_table(
    archive: Archive, labels: Iterable[Sequence[str]]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    rows = list(labels)
    names = sorted({name for row in rows for name in row})
    if len(names) * len(rows) > LARGEST_LABEL_TABLE:
        raise DataError(
            f"{archive.source}: the labels have {len(names)} different names on {len(rows)} rows; "
            "name the column of the labels with columns= (--columns labels=...)."
        )
    column = {name: number for number, name in enumerate(names)}
    table = np.zeros((len(rows), len(names)), np.uint8)
    for number, row in enumerate(rows):
        table[number, [column[name] for name in row]] = 1
    return table, tuple(names)


def _split(table: str, sides: Sequence[str], n: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if not any(sides):
        return None
    wrong = sorted({side for side in sides if side and side.lower() not in SIDES})
    if wrong:
        raise DataError(f"{table}: split must be train, query or retrieval in every row, not {wrong[0]!r}.")
    side = np.array([SIDES.get(one.lower(), "") for one in sides] + [""] * (n - len(sides)))
    return np.flatnonzero(side == "train"), np.flatnonzero(side == "query")
