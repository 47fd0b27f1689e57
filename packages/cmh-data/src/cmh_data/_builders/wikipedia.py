"""Build the Wikipedia articles from their official release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders.archive import Archive
from cmh_data._builders.bag_of_words import bag_of_words
from cmh_data._builders.common import built
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os

    from cmh_data._builders.built_data import BuiltData


def build_wikipedia(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    r"""The Wikipedia articles of Rasiwasia et al. (2010), 2,866 rows: the train list, then the test list.

    Args:
        source: the folder `wikipedia_dataset` with both lists, `categories.list`, `texts` and `images`.
        **words: how articles become words, see `bag_of_words`.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or not as documented.

    Example:
        >>> import tempfile
        >>> files = {
        ...     "categories.list": "art\nbiology",
        ...     "trainset_txt_img_cat.list": "a\ti1\t2\nb\ti2\t1",
        ...     "testset_txt_img_cat.list": "c\ti3\t2",
        ...     **{f"{name}.xml": "<text>a cell</text>" for name in "abc"},
        ... }
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, text in files.items():
        ...         _ = Path(folder, name).write_text(text)
        ...     built = build_wikipedia(folder)
        >>> built.ids, built.text_vocabulary, built.label.tolist()
        (('a', 'b', 'c'), ('cell',), [[0, 1], [1, 0], [0, 1]])
    """
    archive = Archive(Path(source))
    label_names = [line.strip() for line in archive.lines(archive.require("categories.list")) if line.strip()]
    rows: list[list[str]] = []
    sizes: list[int] = []
    for side in ("trainset", "testset"):
        lines = [line.split("\t") for line in archive.lines(archive.require(f"{side}_txt_img_cat.list"))]
        if any(
            len(row) != 3 or not row[2].strip().isdigit() or not 1 <= int(row[2]) <= len(label_names)
            for row in lines
        ):
            raise DataError(
                f"{archive.source}: {side}_txt_img_cat.list must hold `text id, image id, class` per line."
            )
        rows += lines
        sizes.append(len(lines))
    by_stem = {
        name.rsplit("/", 1)[-1].rsplit(".", 1)[0]: name for name in archive.names() if name.endswith(".xml")
    }
    missing = [row[0] for row in rows if row[0] not in by_stem]
    if missing:
        raise DataError(f"{archive.source} lacks texts/{missing[0]}.xml ({len(missing)} texts are missing).")
    texts = [re.sub(r"<[^>]*>", " ", "\n".join(archive.lines(by_stem[row[0]]))) for row in rows]
    text, vocabulary = bag_of_words(texts, **words)
    pictures = {
        name.rsplit("/", 1)[-1].rsplit(".", 1)[0]: name for name in archive.names() if name.endswith(".jpg")
    }
    names = [pictures.get(row[1].strip()) for row in rows]
    classes = np.array([int(row[2]) for row in rows])
    n, n_train = len(rows), sizes[0]
    return built(
        archive,
        name="wikipedia",
        ids=[row[0] for row in rows],
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        captions=texts,
        text_vocabulary=vocabulary,
        label=(classes[:, None] == np.arange(1, len(label_names) + 1)).astype(np.uint8),
        label_names=label_names,
        steps=["train list, then test list", "XML tags removed", f"words: {words or 'default rule'}"],
        split=(np.arange(n_train), np.arange(n_train, n)),
    )
