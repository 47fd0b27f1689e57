"""NUS-WIDE with its most frequent concepts, from its official files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._builders.archive import Archive
from cmh_data._builders.common import built
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from cmh_data._builders.built_data import BuiltData


def build_nuswide(source: str | os.PathLike[str], *, concepts: int = 21) -> BuiltData:
    r"""Build NUS-WIDE of its most frequent concepts, TC21 (195,834 rows) or TC10, in the order of its list.

    Rows without any of the chosen concepts are left out, rows without a tag are kept. Whether the files that
    circulate under these names kept the same rows in the same order is not known.

    Args:
        source: the folder with `ImageList`, `Groundtruth/AllLabels` and `NUS_WID_Tags`, or their zip files.
        concepts: how many of the 81 concepts, the most frequent ones; their columns are alphabetical.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or of different lengths.

    Example:
        >>> import tempfile
        >>> files = {
        ...     "Groundtruth/AllLabels/Labels_sky.txt": "1\n0",
        ...     "ImageList/Imagelist.txt": "a.jpg\nb.jpg",
        ...     "NUS_WID_Tags/TagList1k.txt": "red\nblue",
        ...     "NUS_WID_Tags/AllTags1k.txt": "1 0\n0 1",
        ... }
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, text in files.items():
        ...         Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        ...         _ = Path(folder, name).write_text(text)
        ...     built = build_nuswide(folder, concepts=1)
        >>> built.ids, built.text.tolist()
        (('a.jpg',), [[1, 0]])
    """
    archive = Archive(Path(source))
    images = [line.strip().replace("\\", "/") for line in archive.lines(archive.require("Imagelist.txt"))]
    columns: dict[str, NDArray[np.bool_]] = {}
    for name in sorted(archive.names()):
        if found := re.search(r"AllLabels/Labels_(\w+)\.txt$", name):
            columns[found[1]] = np.array([line.strip() == "1" for line in archive.lines(name)])
    if len(columns) < concepts:
        raise DataError(
            f"{archive.source} holds {len(columns)} files AllLabels/Labels_*.txt, {concepts} are needed."
        )
    vocabulary = [line.strip() for line in archive.lines(archive.require("TagList1k.txt"))]
    tag_lines = archive.read(archive.require("AllTags1k.txt")).splitlines()
    lengths = {"Imagelist.txt": len(images), "AllTags1k.txt": len(tag_lines)}
    lengths |= {f"Labels_{name}.txt": len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        odd = next(name for name, length in lengths.items() if length != len(images))
        raise DataError(
            f"{archive.source}: Imagelist.txt has {len(images)} lines, but {odd} has {lengths[odd]}."
        )
    frequent = sorted(columns, key=lambda name: (-int(columns[name].sum()), name))[:concepts]
    label_names = sorted(frequent)
    label = np.stack([columns[name] for name in label_names], axis=1).astype(np.uint8)
    kept = np.flatnonzero(label.any(axis=1))
    text = np.zeros((len(kept), len(vocabulary)), np.uint8)
    for row, line_number in enumerate(kept):
        digits = np.frombuffer(tag_lines[line_number].translate(None, b" \t\r"), np.uint8) - ord("0")
        if len(digits) != len(vocabulary) or digits.max(initial=0) > 1:
            raise DataError(
                f"{archive.source}: line {line_number + 1} of AllTags1k.txt must hold "
                f"{len(vocabulary)} times 0 or 1."
            )
        text[row] = digits
    by_ending = {"/".join(name.split("/")[-2:]): name for name in archive.names() if name.endswith(".jpg")}
    names = [by_ending.get(images[row]) for row in kept]
    return built(
        archive,
        name=f"nuswide-tc{concepts}",
        ids=[images[row] for row in kept],
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        text_vocabulary=vocabulary,
        label=label[kept],
        label_names=label_names,
        steps=[f"the {concepts} most frequent concepts", "rows without any of them left out"],
    )
