"""MS-COCO from its annotations."""

from __future__ import annotations

import json
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


def build_coco(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    """Build MS-COCO: images with an object class and a caption, by rising id within train, then val.

    Args:
        source: the folder with `annotations/instances_*.json`, `captions_*.json` and the image folders.
        **words: how captions become words, see `bag_of_words`; by default the 2,000 most frequent words.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or not as documented.

    Example:
        >>> import json, tempfile
        >>> instances = {
        ...     "categories": [{"id": 1, "name": "dog"}],
        ...     "images": [{"id": 5, "file_name": "5.jpg"}],
        ...     "annotations": [{"image_id": 5, "category_id": 1}],
        ... }
        >>> captions = {"annotations": [{"image_id": 5, "caption": "a red dog"}]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, content in (("instances", instances), ("captions", captions)):
        ...         _ = Path(folder, f"{name}_val2014.json").write_text(json.dumps(content))
        ...     built = build_coco(folder, least_count=1)
        >>> built.label_names, built.text_vocabulary
        (('dog',), ('dog', 'red'))
    """
    archive = Archive(Path(source))
    texts: list[str] = []
    ids: list[str] = []
    found_classes: list[set[int]] = []
    classes: dict[int, str] = {}
    for name in sorted(archive.names()):
        if not (found := re.search(r"(?:^|/)instances_(\w+)\.json$", name)):
            continue
        instances = _json(archive, name)
        captions = _json(archive, archive.require(f"captions_{found[1]}.json"))
        try:
            classes |= {int(one["id"]): str(one["name"]) for one in instances["categories"]}
            by_image: dict[int, set[int]] = {}
            for one in instances["annotations"]:
                by_image.setdefault(int(one["image_id"]), set()).add(int(one["category_id"]))
            sentences: dict[int, list[str]] = {}
            for one in captions["annotations"]:
                sentences.setdefault(int(one["image_id"]), []).append(str(one["caption"]))
            for image in sorted(instances["images"], key=lambda image: int(image["id"])):
                number = int(image["id"])
                if number in by_image and number in sentences:
                    ids.append(f"{found[1]}/{image['file_name']}")
                    texts.append(" ".join(sentences[number]))
                    found_classes.append(by_image[number])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{archive.source}: {name} is not as COCO documents it ({error!r}).") from error
    if not ids:
        raise DataError(
            f"{archive.source} lacks annotations/instances_train2014.json or holds no usable image."
        )
    text, vocabulary = bag_of_words(texts, **words)
    order = sorted(classes)
    by_name = {name.rsplit("/", 1)[-1]: name for name in archive.names() if name.endswith(".jpg")}
    names = [by_name.get(item.rsplit("/", 1)[-1]) for item in ids]
    return built(
        archive,
        name="coco",
        ids=ids,
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        captions=texts,
        text_vocabulary=vocabulary,
        label=np.array([[one in row for one in order] for row in found_classes], np.uint8),
        label_names=[classes[one] for one in order],
        steps=[
            "images with a class and a caption",
            "all captions of an image joined",
            f"words: {words or 'default rule'}",
        ],
    )


def _json(archive: Archive, name: str) -> Any:
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{archive.source}: {name} is not valid JSON ({error}).") from error
