"""Build MIR-Flickr25K in the DCMH cut, from its official archives."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._builders.archive import Archive
from cmh_data._builders.common import built
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from cmh_data._builders.built_data import BuiltData


def build_mirflickr25k(source: str | os.PathLike[str], *, least_tag_count: int = 20) -> BuiltData:
    r"""MIR-Flickr25K in the DCMH cut: 20,015 rows, 1,386 tags, 24 labels, by rising image number.

    Tags count when at least `least_tag_count` of all images carry them; an image stays when it has such a tag
    and one of the 24 labels (annotations v080 without the `_r1` files). The tags stand in the order of
    `doc/common_tags.txt` or, where that file is missing, by falling count.

    Args:
        source: the folder with `mirflickr25k.zip` and `mirflickr25k_annotations_v080.zip`, or what they hold.
        least_tag_count: tags on fewer images are left out.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or not as documented.

    Example:
        >>> import tempfile
        >>> files = {
        ...     "meta/tags/tags1.txt": "sky\ndog",
        ...     "meta/tags/tags2.txt": "sky",
        ...     "annotations_v080/animals.txt": "1",
        ...     "annotations_v080/sea.txt": "2",
        ... }
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, text in files.items():
        ...         Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        ...         _ = Path(folder, name).write_text(text)
        ...     built = build_mirflickr25k(folder, least_tag_count=1)
        >>> built.ids, built.text_vocabulary, built.label.tolist()
        (('1', '2'), ('sky', 'dog'), [[1, 0], [0, 1]])
    """
    archive = Archive(Path(source))
    tags: dict[int, tuple[str, ...]] = {}
    images: dict[int, str] = {}
    members: dict[str, set[int]] = {}
    for name in archive.names():
        if found := re.search(r"(?:^|/)meta/tags/tags(\d+)\.txt$", name):
            words = (line.strip() for line in archive.lines(name))
            tags[int(found[1])] = tuple(dict.fromkeys(word for word in words if word))
        elif found := re.search(r"(?:^|/)im(\d+)\.jpg$", name):
            images[int(found[1])] = name
        elif found := re.search(r"annotations[^/]*/([a-z_]+)(?<!_r1)\.txt$", name):
            members[found[1]] = _image_numbers(archive, name)
    if not tags:
        raise DataError(f"{archive.source} lacks meta/tags/tags1.txt and so on, of mirflickr25k.zip.")
    if not members:
        raise DataError(f"{archive.source} lacks the label files of mirflickr25k_annotations_v080.zip.")
    vocabulary = _common_tags(archive, tags, least_tag_count)
    column = {tag: number for number, tag in enumerate(vocabulary)}
    label_names = sorted(members)
    kept = [
        number
        for number in sorted(tags)
        if any(tag in column for tag in tags[number]) and any(number in members[name] for name in label_names)
    ]
    return built(
        archive,
        name="mirflickr25k",
        ids=[str(number) for number in kept],
        image_names=[images[number] for number in kept] if all(number in images for number in kept) else [],
        captions=[" ".join(tags[number]) for number in kept],
        text=_table([[column[tag] for tag in tags[number] if tag in column] for number in kept], len(column)),
        text_vocabulary=vocabulary,
        label=np.array([[number in members[name] for name in label_names] for number in kept], np.uint8),
        label_names=label_names,
        steps=[
            f"tags on at least {least_tag_count} of {len(tags)} images",
            "rows with a tag and a label kept",
        ],
    )


def _table(rows: Iterable[Sequence[int]], width: int) -> NDArray[np.uint8]:
    listed = list(rows)
    table = np.zeros((len(listed), width), np.uint8)
    for number, columns in enumerate(listed):
        table[number, list(columns)] = 1
    return table


def _image_numbers(archive: Archive, name: str) -> set[int]:
    try:
        return {int(line) for line in archive.lines(name) if line.strip()}
    except ValueError as error:
        raise DataError(f"{archive.source}: {name} must hold one image number per line ({error}).") from error


def _common_tags(archive: Archive, tags: Mapping[int, tuple[str, ...]], least: int) -> list[str]:
    counts = Counter(tag for row in tags.values() for tag in row)
    listed = archive.find("doc/common_tags.txt")
    if listed is None:
        return sorted(
            (tag for tag, count in counts.items() if count >= least), key=lambda tag: (-counts[tag], tag)
        )
    chosen = []
    for line in archive.lines(listed):
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and int(words[1]) >= least:
            chosen.append(words[0])
    return chosen
