"""Builders: from official distributions, or anyone's own folder, to data in the field's row order."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cmh_data._archive import Archive
from cmh_data._assemble import check_split
from cmh_data._built import BuiltData
from cmh_data._errors import DataError, shorten
from cmh_data._words import bag_of_words

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray


def build_mirflickr25k(source: str | os.PathLike[str], *, least_tag_count: int = 20) -> BuiltData:
    """MIR-Flickr25K in the DCMH cut: 20,015 rows, 1,386 tags, 24 labels, by rising image number.

    Tags count when at least `least_tag_count` of all images carry them; an image stays when it has such a tag
    and one of the 24 labels (annotations v080 without the `_r1` files). The tags stand in the order of
    `doc/common_tags.txt` or, where that file is missing, by falling count.

    Args:
        source: the folder with `mirflickr25k.zip` and `mirflickr25k_annotations_v080.zip`, or what they hold.
        least_tag_count: tags on fewer images are left out.

    Raises:
        DataError: files are missing or not as documented.
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
    return _built(
        archive,
        name="mirflickr25k",
        ids=[str(number) for number in kept],
        image_names=[images[number] for number in kept] if all(number in images for number in kept) else [],
        text=_table([[column[tag] for tag in tags[number] if tag in column] for number in kept], len(column)),
        text_vocabulary=vocabulary,
        label=np.array([[number in members[name] for name in label_names] for number in kept], np.uint8),
        label_names=label_names,
        steps=[
            f"tags on at least {least_tag_count} of {len(tags)} images",
            "rows with a tag and a label kept",
        ],
    )


def build_nuswide(source: str | os.PathLike[str], *, concepts: int = 21) -> BuiltData:
    """NUS-WIDE with its most frequent concepts, TC21 (195,834 rows) or TC10, in the order of `Imagelist.txt`.

    Rows without any of the chosen concepts are left out, rows without a tag are kept. Whether the files that
    circulate under these names kept the same rows in the same order is not known.

    Args:
        source: the folder with `ImageList`, `Groundtruth/AllLabels` and `NUS_WID_Tags`, or their zip files.
        concepts: how many of the 81 concepts, the most frequent ones; their columns are alphabetical.

    Raises:
        DataError: files are missing or of different lengths.
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
    return _built(
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


def build_coco(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    """MS-COCO: images with at least one object class and one caption, by rising id within train, then val.

    Args:
        source: the folder with `annotations/instances_*.json`, `captions_*.json` and the image folders.
        **words: how captions become words, see `bag_of_words`; by default the 2,000 most frequent words.

    Raises:
        DataError: files are missing or not as documented.
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
    return _built(
        archive,
        name="coco",
        ids=ids,
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        text_vocabulary=vocabulary,
        label=np.array([[one in row for one in order] for row in found_classes], np.uint8),
        label_names=[classes[one] for one in order],
        steps=[
            "images with a class and a caption",
            "all captions of an image joined",
            f"words {words or 'as default'}",
        ],
    )


def build_flickr30k(
    source: str | os.PathLike[str], *, captions: Literal["each", "join"] = "each", **words: Any
) -> BuiltData:
    """Flickr30K, 31,783 images with five captions each, in the order of `results_20130124.token`.

    It has no labels, so the one label column is empty: load a saved file with `unlabelled="keep"`, and
    measure whether a query finds its own image (instance recall). A random split keeps the captions of an
    image together.

    Args:
        source: the folder with `results_20130124.token` and the image folder `flickr30k-images`, unpacked.
        captions: "each": one row per caption, its image repeated, ids `1000092795.jpg#0`; "join": one row per
            image, all its captions joined.
        **words: how captions become words, see `bag_of_words`; by default the 2,000 most frequent words.

    Raises:
        DataError: files are missing or not as documented.
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
    return _built(
        archive,
        name="flickr30k",
        ids=[row[0] for row in rows],
        image_ids=[] if captions == "join" else [row[1] for row in rows],
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        text_vocabulary=vocabulary,
        label=np.zeros((len(rows), 1), np.uint8),
        label_names=["no label"],
        steps=[f"captions: {captions}", "no labels in the source", f"words {words or 'as default'}"],
    )


def build_wikipedia(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    """The Wikipedia articles of Rasiwasia et al. (2010), 2,866 rows: the train list, then the test list.

    Args:
        source: the folder `wikipedia_dataset` with both lists, `categories.list`, `texts` and `images`.
        **words: how articles become words, see `bag_of_words`.

    Raises:
        DataError: files are missing or not as documented.
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
    return _built(
        archive,
        name="wikipedia",
        ids=[row[0] for row in rows],
        image_names=[name for name in names if name is not None] if None not in names else [],
        text=text,
        text_vocabulary=vocabulary,
        label=(classes[:, None] == np.arange(1, len(label_names) + 1)).astype(np.uint8),
        label_names=label_names,
        steps=["train list, then test list", "tags of the XML taken off", f"words {words or 'as default'}"],
        split=(np.arange(n_train), np.arange(n_train, n)),
    )


def build_folder(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    """Anyone's own data: images and one table with the columns `image, text, labels` and, if wanted, `split`.

    The table is CSV, JSONL or Parquet (with the extra `parquet`). `image` is a path inside the folder,
    `labels` a list or names joined by `;`, `split` one of train, query, retrieval.

    Args:
        source: the folder.
        **words: how texts become words, see `bag_of_words`.

    Raises:
        DataError: the table is missing or several, columns are missing, or images are.
    """
    archive = Archive(Path(source))
    tables = [
        name for name in archive.names() if name.rsplit(".", 1)[-1].lower() in {"csv", "jsonl", "parquet"}
    ]
    if len(tables) != 1:
        raise DataError(
            f"{archive.source} must hold one table .csv, .jsonl or .parquet, but holds {shorten(tables)}."
        )
    records = _records(archive, tables[0])
    missing = [key for key in ("image", "text", "labels") if any(key not in record for record in records)]
    if missing or not records:
        raise DataError(
            f"{tables[0]} must have the columns image, text and labels in every row; missing {missing}."
        )
    labels = [_label_list(record["labels"]) for record in records]
    label_names = sorted({name for row in labels for name in row})
    available = set(archive.names())
    ids = [str(record["image"]) for record in records]
    absent = [name for name in ids if name not in available]
    if absent and len(absent) < len(ids):
        raise DataError(
            f"{archive.source} lacks {absent[0]}, which {tables[0]} names ({len(absent)} are missing)."
        )
    text, vocabulary = bag_of_words([str(record["text"]) for record in records], **words)
    sides = [str(record.get("split") or "") for record in records]
    split = None
    if any(sides):
        wrong = sorted(set(sides) - {"train", "query", "retrieval"})
        if wrong:
            raise DataError(
                f"{tables[0]}: split must be train, query or retrieval in every row, not {wrong[0]!r}."
            )
        side = np.array(sides)
        split = (np.flatnonzero(side == "train"), np.flatnonzero(side == "query"))
    return _built(
        archive,
        name=archive.source.resolve().stem,
        ids=ids,
        image_names=[] if absent else ids,
        text=text,
        text_vocabulary=vocabulary,
        label=np.array([[name in row for name in label_names] for row in labels], np.uint8).reshape(
            len(ids), -1
        ),
        label_names=label_names,
        steps=[f"table {tables[0]}", f"words {words or 'as default'}"],
        split=split,
    )


def builders() -> Mapping[str, Callable[..., BuiltData]]:
    """All builders by name."""
    return _BUILDERS


def _built(
    archive: Archive,
    *,
    name: str,
    ids: Sequence[str],
    image_names: Sequence[str],
    text: NDArray[np.uint8],
    text_vocabulary: Sequence[str],
    label: NDArray[np.uint8],
    label_names: Sequence[str],
    steps: Sequence[str],
    split: tuple[NDArray[Any], NDArray[Any]] | None = None,
    image_ids: Sequence[str] = (),
) -> BuiltData:
    if not len(ids):
        raise DataError(f"{archive.source}: no row of {name} has both a text and a label.")
    return BuiltData(
        name=name,
        ids=tuple(ids),
        image_ids=tuple(image_ids),
        image_names=tuple(image_names),
        text=text,
        text_vocabulary=tuple(text_vocabulary),
        label=label,
        label_names=tuple(label_names),
        archive=archive,
        split=None if split is None else check_split(len(ids), train=split[0], query=split[1]),
        provenance={"built_from": archive.source.name, "builder": name, "steps": list(steps)},
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


def _json(archive: Archive, name: str) -> Any:
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{archive.source}: {name} is no valid JSON ({error}).") from error


def _records(archive: Archive, name: str) -> list[dict[str, Any]]:
    try:
        if name.lower().endswith(".csv"):
            return list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"))))
        if name.lower().endswith(".jsonl"):
            return [dict(json.loads(line)) for line in archive.lines(name) if line.strip()]
        return _parquet(archive, name)
    except (ValueError, TypeError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{archive.source}: {name} cannot be read ({error}).") from error


def _parquet(archive: Archive, name: str) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: install cmh-data[parquet].") from error
    try:
        rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(archive.read(name))).to_pylist()
    except (ValueError, OSError) as error:  # what pyarrow raises for damaged files
        raise DataError(f"{archive.source}: {name} is no readable Parquet file ({error}).") from error
    return rows


def _label_list(value: Any) -> list[str]:
    names = value.split(";") if isinstance(value, str) else list(value or ())
    return [str(name).strip() for name in names if str(name).strip()]


_BUILDERS: Mapping[str, Callable[..., BuiltData]] = MappingProxyType(
    {
        "mirflickr25k": build_mirflickr25k,
        "nuswide": build_nuswide,
        "coco": build_coco,
        "flickr30k": build_flickr30k,
        "wikipedia": build_wikipedia,
        "folder": build_folder,
    }
)
