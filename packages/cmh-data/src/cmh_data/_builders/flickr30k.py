"""Build Flickr30K from its token file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_data._builders.archive import Archive
from cmh_data._builders.bag_of_words import bag_of_words
from cmh_data._builders.common import built
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os

    from cmh_data._builders.built_data import BuiltData


def build_flickr30k(
    source: str | os.PathLike[str], *, captions: Literal["each", "join"] = "each", **words: Any
) -> BuiltData:
    r"""Flickr30K, 31,783 images with five captions each, in the order of `results_20130124.token`.

    It has no labels, so there is no label column: measure whether a query finds its own image (instance
    recall). A random split keeps the captions of an image together.

    Args:
        source: the folder with `results_20130124.token` and the image folder `flickr30k-images`, unpacked.
        captions: "each": one row per caption, its image repeated, ids `1000092795.jpg#0`; "join": one row per
            image, all its captions joined.
        **words: how captions become words, see `bag_of_words`; by default the 2,000 most frequent words.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or not as documented.

    Example:
        >>> import tempfile
        >>> lines = (f"10.jpg#{number}\tTwo dogs run." for number in range(5))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "flickr30k-images").mkdir()
        ...     _ = Path(folder, "flickr30k-images", "10.jpg").write_bytes(b"")
        ...     _ = Path(folder, "results_20130124.token").write_text("\n".join(lines))
        ...     built = build_flickr30k(folder, captions="join", least_count=1)
        >>> built.ids, built.text_vocabulary
        (('10.jpg',), ('dogs', 'run', 'two'))
    """
    if captions not in {"each", "join"}:
        raise DataError(f'captions must be "each" or "join", but it is {captions!r}.')
    archive = Archive(Path(source))
    listed = archive.require("results_20130124.token")
    sentences: dict[str, dict[str, str]] = {}
    for number, line in enumerate(archive.lines(listed), start=1):
        found = re.fullmatch(r"(\S+\.jpg)#(\d+)\t(.*)", line)
        if found is None or found[2] in sentences.get(found[1], {}):
            raise DataError(
                f"{archive.source}: line {number} of {listed} must be `image.jpg#number<TAB>caption`, "
                "each number once."
            )
        sentences.setdefault(found[1], {})[found[2]] = found[3]
    if captions == "join":
        rows = [(image, image, " ".join(texts.values())) for image, texts in sentences.items()]
    else:
        rows = [
            (f"{image}#{number}", image, text)
            for image, texts in sentences.items()
            for number, text in texts.items()
        ]
    text, vocabulary = bag_of_words([row[2] for row in rows], **words)
    pictures = {name.rsplit("/", 1)[-1]: name for name in archive.names() if name.endswith(".jpg")}
    names = [pictures.get(image) for _, image, _ in rows]
    return built(
        archive,
        name="flickr30k",
        ids=[row[0] for row in rows],
        image_ids=[] if captions == "join" else [row[1] for row in rows],
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        captions=[row[2] for row in rows],
        text_vocabulary=vocabulary,
        label=np.zeros((len(rows), 0), np.uint8),
        label_names=[],
        steps=[f"captions: {captions}", "no labels in the source", f"words: {words or 'default rule'}"],
    )
