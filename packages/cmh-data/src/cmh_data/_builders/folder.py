"""Anyone's own data: a folder of pictures, and tables or texts beside them, any of which may have gaps."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders import pictures, tables
from cmh_data._builders.archive import Archive
from cmh_data._builders.bag_of_words import bag_of_words
from cmh_data._builders.common import built
from cmh_data._builders.folder_files import folder_labels, read_files
from cmh_data._builders.folder_lists import read_lists
from cmh_data._builders.folder_tables import read_tables
from cmh_data._builders.item_rows import SIDES
from cmh_data._builders.label_lists import label_lists
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_data._builders.built_data import BuiltData

LARGEST_LABEL_TABLE = 1 << 30  # bytes


def build_folder(
    source: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    label_separator: str | None = None,
    labels_from_folders: bool = False,
    **words: Any,
) -> BuiltData:
    r"""Build a data set from one's own pictures, and a table of their texts and labels or files beside them.

    The table is CSV, TSV, JSONL or Parquet (with the extra `parquet`). Its columns `image`, `text`, `labels`
    and `split`, or what people call these, are found by their names. `image` is a path inside the folder,
    `labels` a list, a number, or names joined by `;`, `|` or `,`, `split` one of train, query (test) and
    retrieval (database). Only image or text is required: rows without a picture, rows without a text, rows
    without labels, and pictures that no row names are kept, and `image_present` and `text_present` say so.
    Null, NaN and blank cells, and the words that pandas writes for these, are nothing and not a word. Several
    tables with the same columns are read one after the other, and so are one of images and one of texts.

    Without a table, `1.txt` beside `1.jpg` is its text, `1.cls` its class, `1.json` both, and where no file
    gives labels, the folders below the one that holds all are the labels. Files may lie in shards of
    webdataset, which are tar files at the top of the folder. Texts without a picture are rows, too. The lists
    of CLIP-based programs, `index.mat`, `caption.mat` and `label.mat`, are read like a table.

    Memory: the table is read row by row; texts, four bytes a word, and the tables of words and labels are
    held; pictures are decoded one by one when rows are read, below 1 GB whatever their sizes.

    Args:
        source: the folder, or one zip or tar file.
        columns: which column is which, such as `{"image": "filename", "text": "caption"}`.
        separator: of a CSV file; None: found from its first line.
        encoding: of a CSV or JSONL file; None: UTF-8, or UTF-16 with a byte order mark.
        label_separator: between labels; None: found from the column.
        labels_from_folders: take the folders in which pictures lie as labels, though there is a table.
        **words: how texts become words, see `bag_of_words`.

    Returns:
        The rows of the table in their order, then the pictures that no row names; without a table, the
        pictures in the order of their paths, then the texts without a picture.

    Raises:
        DataError: there is nothing usable, a table cannot be read, or tables do not go together.

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
    names = sorted(name for name in archive.names() if name.lower().endswith(tables.ENDINGS))
    if names:
        rows = read_tables(archive, names, columns=columns, separator=separator, encoding=encoding)
    elif columns or separator:
        raise DataError(f"{archive.source} has no table, so there are no columns and no separator to name.")
    else:
        rows = read_lists(archive) or read_files(archive, encoding=encoding)
    table = rows.where
    images, notes = _find_images(archive, table, rows.images)
    # Where rows name images that are nowhere here, features will come, and the pictures are something else.
    unnamed = _unnamed_pictures(archive, set(images)) if any(images) or not any(rows.images) else []
    if unnamed:
        notes.append(f"{len(unnamed)} pictures that no row names were added as rows without text and labels")
    if archive.links:
        notes.append(archive.said_of_links)
    n = len(images) + len(unnamed)
    if labels_from_folders:
        rows.labels = folder_labels([*(images if any(images) else rows.images), *unnamed])
    labels, how = label_lists(rows.labels, separator=label_separator)
    texts = rows.texts + [""] * len(unnamed)
    text_present = np.array([bool(text) for text in texts], np.bool_)
    if not text_present.any():
        raise DataError(f"{archive.source}: no row of {table} has a text.")
    image_present = np.ones(n, np.bool_)
    image_present[: len(images)] = [bool(path) for path in (images if any(images) else rows.images)]
    if not image_present.any():
        raise DataError(f"{archive.source}: no row of {table} has an image.")
    vocabulary_table, vocabulary = bag_of_words(texts, **words)
    label, label_names = _label_table(archive, [*labels, *[[]] * (n - len(labels))])
    ids = [*rows.ids, *unnamed]
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
        steps=[rows.read, *notes, f"words: {words or 'default rule'}"],
        split=_split(table, rows.sides, n),
        image_present=image_present,
        text_present=text_present,
        check_images=True,
        captions=texts,
    )


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
    found = sorted(
        name
        for name in archive.names()
        if name not in named
        and name.lower().endswith(pictures.ENDINGS)
        and not PurePosixPath(name).name.startswith(".")
        and archive.size(name) > 0
    )
    for name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{archive.source}: the name of a picture is not UTF-8, {os.fsencode(name)!r}; rename it."
            ) from None
    return found


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
