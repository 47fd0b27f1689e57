"""Text lists: split lists of DeepHash and UGACH, tag lists of MITH, and the original Wikipedia lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_data._errors import DataError
from cmh_data._layouts.raw import RawData, class_table, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

LARGEST_LIST_BYTES = 1 << 30


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without their ends, LF or CRLF; UTF-8, else Latin-1."""
    if path.stat().st_size > LARGEST_LIST_BYTES:
        raise DataError(f"{path} is larger than {LARGEST_LIST_BYTES} bytes; no known list is.")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def deephash(path: Path, files: Iterable[Path]) -> RawData | None:
    """`train.txt`, `database.txt`, `test.txt` with a path and zeros and ones in each line."""
    parsed = {file.stem: pair for file in files if (pair := _path_and_labels(file)) is not None}
    if not parsed:
        return None
    widths = {labels.shape[1] for _, labels in parsed.values()}
    if len(widths) > 1:
        raise DataError(f"{path}: the lists have different numbers of label columns, {sorted(widths)}.")
    raw = RawData(path=path, layout="split lists with a path and labels in each line (DeepHash, HashNet)")
    ids: dict[str, int] = {}
    labels: list[NDArray[np.uint8]] = []
    members: dict[str, list[int]] = {}
    for list_name, (paths, table) in parsed.items():
        positions = []
        for item, row in zip(paths, table, strict=True):
            if item not in ids:
                ids[item] = len(ids)
                labels.append(row)
            positions.append(ids[item])
        members[list_name] = positions
    raw.ids, raw.labels = tuple(ids), np.stack(labels)
    raw.chosen = {"ids": "first column", "labels": "other columns"}
    sides = {"train": "train", "test": "query", "query": "query", "database": "retrieval"}
    for list_name, positions in members.items():
        _set_side(raw, sides.get(list_name, ""), numbers(positions))
    if {"train", "database"} <= set(members):
        inside = len(set(members["train"]) & set(members["database"]))
        raw.notes.append(f"{inside} of {len(members['train'])} training rows lie in the database.")
    raw.notes.append("an image-only layout: no texts, and image paths instead of images.")
    return raw


def mith(path: Path, files: Iterable[Path]) -> RawData | None:
    """`all_imgs.txt`, `all_tags.txt`, `all_labels.txt` and a tag list, line by line."""
    by_name = {file.name.lower(): file for file in files}
    names = ("all_imgs.txt", "all_tags.txt", "all_labels.txt")
    if not set(names) <= set(by_name):
        return None
    images, tags, labels = (read_lines(by_name[name]) for name in names)
    if not len(images) == len(tags) == len(labels):
        raise DataError(
            f"{path}: the lists must have the same number of lines, but images have {len(images)}, "
            f"tags {len(tags)}, labels {len(labels)}."
        )
    raw = RawData(path=path, layout="text lists all_imgs, all_tags, all_labels (MITH, VTMUCH)")
    raw.ids = tuple(image.strip() for image in images)
    raw.labels = _numbers_table(by_name["all_labels.txt"], labels)
    raw.captions = tuple(" ".join(line.split(",")) for line in tags)
    raw.chosen = {"ids": names[0], "captions": names[1], "labels": names[2]}
    tag_list = next((file for name, file in sorted(by_name.items()) if "taglist" in name), None)
    if tag_list is None:
        raw.notes.append("no tag list beside the lists, so words are not turned into a table.")
        return raw
    raw.text_vocabulary = tuple(word.strip() for word in read_lines(tag_list))
    column = {word: number for number, word in enumerate(raw.text_vocabulary)}
    raw.text = np.zeros((len(tags), len(column)), np.uint8)
    unknown = repeated = 0
    for row, line in enumerate(tags):
        words = [word.strip() for word in line.split(",") if word.strip()]
        repeated += len(words) - len(set(words))
        known = [column[word] for word in words if word in column]
        unknown += len(words) - len(known)
        raw.text[row, known] = 1
    raw.chosen["text"] = f"{names[1]} by {tag_list.name}"
    if repeated:
        raw.notes.append(f"{repeated} tags stood twice in a line and were counted once.")
    if unknown:
        raw.notes.append(f"{unknown} tags are not in the tag list and were left out.")
    raw.notes.append("the lists hold image names, not images: encode them and join by ids.")
    return raw


UGACH_SIDES = {
    "train": "train", "test": "query", "query": "query", "database": "retrieval", "retrieval": "retrieval",
}  # fmt: skip


def ugach(path: Path, files: Iterable[Path]) -> RawData | None:
    """`train_img.txt` with a name and `train_label.txt` with labels in each line, likewise other sides."""
    by_name = {file.name.lower(): file for file in files}
    sides = [side for side in UGACH_SIDES if {f"{side}_img.txt", f"{side}_label.txt"} <= set(by_name)]
    if not sides:
        return None
    raw = RawData(path=path, layout="lists of names and of labels, train_img and train_label (UGACH)")
    ids: list[str] = []
    tables: list[NDArray[np.float64]] = []
    for side in sides:
        names = [line.strip() for line in read_lines(by_name[f"{side}_img.txt"])]
        labels = read_lines(by_name[f"{side}_label.txt"])
        if len(names) != len(labels) or not names:
            raise DataError(
                f"{path}: {side}_img.txt has {len(names)} lines and {side}_label.txt {len(labels)}, "
                "but each name needs one line of labels."
            )
        tables.append(_numbers_table(by_name[f"{side}_label.txt"], labels))
        _set_side(raw, UGACH_SIDES[side], numbers(range(len(ids), len(ids) + len(names))))
        ids += names
    widths = {table.shape[1] for table in tables}
    if len(widths) > 1:
        raise DataError(f"{path}: the lists have different numbers of label columns, {sorted(widths)}.")
    raw.ids = tuple(ids)
    raw.labels = class_table([np.concatenate(tables)], raw, key=f"{sides[0]}_label.txt")[0]
    raw.chosen = {"ids": f"{sides[0]}_img.txt", "labels": f"{sides[0]}_label.txt"}
    raw.notes.append("the lists hold image names, not images: encode them and join by ids.")
    return raw


def wikipedia_lists(raw: RawData, files: Iterable[Path]) -> None:
    """Add labels and ids of the original Wikipedia release, which stand in lists beside the features."""
    by_name = {file.name: file for file in files}
    lists = ("trainset_txt_img_cat.list", "testset_txt_img_cat.list")
    if raw.labels is not None or raw.image is None or not set(lists) <= set(by_name):
        return
    rows = [line.split("\t") for name in lists for line in read_lines(by_name[name])]
    if len(rows) != len(raw.image) or any(len(row) != 3 or not row[2].strip().isdigit() for row in rows):
        raise DataError(
            f"{raw.path}: the lists must have one line `text id, image id, class` "
            f"for each of {len(raw.image)} rows."
        )
    classes = np.array([int(row[2]) for row in rows])
    names = tuple(read_lines(by_name["categories.list"])) if "categories.list" in by_name else ()
    n_class = len(names) or int(classes.max())
    if classes.min() < 1 or classes.max() > n_class:
        raise DataError(f"{raw.path}: classes must run from 1 to {n_class}, but run to {classes.max()}.")
    raw.labels = (classes[:, None] == np.arange(1, n_class + 1)).astype(np.uint8)
    raw.label_names = names
    raw.ids = tuple(row[0] for row in rows)
    raw.chosen["labels"] = f"third column of {lists[0]} and {lists[1]}"
    raw.notes = [note for note in raw.notes if "holds no labels" not in note]


def read_lists(path: Path, files: list[Path]) -> RawData | None:
    """Read text lists by the first layout that knows them."""
    return mith(path, files) or ugach(path, files) or deephash(path, files)


def _set_side(raw: RawData, side: str, rows: NDArray[np.int64]) -> None:
    if side == "train":
        raw.train = rows
    elif side == "query":
        raw.query = rows
    elif side == "retrieval":
        raw.retrieval = rows


def _path_and_labels(file: Path) -> tuple[list[str], NDArray[np.uint8]] | None:
    lines = [line for line in read_lines(file) if line.strip()]
    if not lines:
        return None
    width = len(lines[0].split())
    if width < 2 or not set(lines[0].split()[1:]) <= {"0", "1"}:
        return None
    paths: list[str] = []
    rows: list[list[str]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) != width or not set(words[1:]) <= {"0", "1"}:
            raise DataError(f"{file}, line {number}: expected a path and {width - 1} numbers 0 or 1.")
        paths.append(words[0])
        rows.append(words[1:])
    if len(set(paths)) < len(paths):
        raise DataError(f"{file} names an item twice.")
    return paths, np.array(rows, dtype=np.uint8)


def _numbers_table(file: Path, lines: list[str]) -> NDArray[np.float64]:
    rows = [line.split() for line in lines]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise DataError(
            f"{file} must have the same number of labels in each line, but has {sorted(widths)[:5]}."
        )
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{file} must hold numbers, but {error}.") from error
