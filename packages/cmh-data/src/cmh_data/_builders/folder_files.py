"""The items of a folder without a table: pictures, and files of the same name beside them."""

from __future__ import annotations

import json
import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cmh_data._builders import pictures, tables
from cmh_data._builders.folder_tables import text_of
from cmh_data._builders.item_rows import SIDES, ItemRows
from cmh_data._errors import DataError, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_data._builders.archive import Archive

LARGEST_TEXT = 16 << 20  # bytes of one text
BESIDE = (".txt", ".cls", ".json")  # text, class, and both: what webdataset shards hold beside a picture
# Folders that say what kind of file they hold; they are no labels, and images/1.jpg goes with texts/1.txt.
KIND_FOLDERS = frozenset(
    {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "text", "texts", "txt",
     "caption", "captions", "label", "labels"}
)  # fmt: skip
ABOUT_THE_FOLDER = frozenset(
    {"readme", "license", "licence", "copying", "copyright", "attribution", "changelog"}
)


def read_files(archive: Archive, *, encoding: str | None) -> ItemRows:
    """Read pictures as items, with what stands beside them under the same name.

    `1.txt` beside `1.jpg` is its text, `1.cls` its class, `1.json` an object with text and labels (as shards
    of webdataset and img2dataset hold them). Texts without a picture are items too. Where no file gives
    labels, the folders in which a picture lies are its labels, below the folder that holds them all; folders
    named train, test and so on are the split.

    Args:
        archive: the folder.
        encoding: of the texts; None: UTF-8, or UTF-16 with a byte order mark.

    Returns:
        The pictures in the order of their paths, then the texts without a picture.

    Raises:
        DataError: there is neither, or a file cannot be read.
    """
    names = sorted(name for name in archive.names() if not PurePosixPath(name).name.startswith("."))
    shown = [name for name in names if name.lower().endswith(pictures.ENDINGS)]
    beside: dict[str, dict[str, str]] = {ending: {} for ending in BESIDE}
    for name in names:
        path = PurePosixPath(name)
        if (ending := path.suffix.lower()) in BESIDE and path.stem.lower() not in ABOUT_THE_FOLDER:
            beside[ending].setdefault(_key(name), name)
    keys = {_key(name) for name in shown}
    alone = [name for key, name in beside[".txt"].items() if key not in keys]
    items = [*shown, *alone]
    if not items:
        raise DataError(
            f"{archive.source} must hold one table {', '.join(tables.ENDINGS[:-1])} or {tables.ENDINGS[-1]}, "
            f"or pictures with texts beside them (1.jpg, 1.txt), but holds {shorten(names)}"
            f"{archive.said_of_links and f'; {archive.said_of_links}'}."
        )
    folders, sides = _folders([_key(name) for name in items])
    rows = ItemRows("the folder")
    stated = False
    for number, name in enumerate(items):
        text, labels = _beside(archive, _key(name), beside, encoding)
        stated = stated or labels is not None
        image = name if number < len(shown) else ""
        rows.add(archive.source, item=name, image=image, text=text, labels=labels, side=sides[number])
    if not stated:
        rows.labels = list(folders)
    kinds = [f"{len(found)} {ending}" for ending, found in beside.items() if found]
    rows.read = (
        f"{len(shown)} pictures, {', '.join(kinds) or 'no texts'}; "
        + ("labels from the files" if stated else "labels from the folders" if any(folders) else "no labels")
        + (", split from the folders" if any(sides) else "")
    )
    return rows


def folder_labels(paths: Sequence[str]) -> list[list[str]]:
    """The folders of each path below the folder that holds them all; none for "".

    Args:
        paths: of pictures.

    Returns:
        The labels of each.
    """
    found = iter(_folders([_key(path) for path in paths if path])[0])
    return [next(found) if path else [] for path in paths]


def _key(name: str) -> str:
    """What files of one item have in common: the path without its ending and without folders of a kind."""
    path = PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")))
    folders = [one for one in path.parts[:-1] if one.lower() not in KIND_FOLDERS]
    return "/".join([*folders, path.stem])


def _folders(keys: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """The folders of each key that tell items apart, and the sides of the split that folders name."""
    found = [[one for one in key.split("/")[:-1] if not one.endswith(".tar")] for key in keys]
    while found and all(found) and len({one[0] for one in found}) == 1:
        found = [one[1:] for one in found]
    sides = [SIDES.get(one[0].lower(), "") if one else "" for one in found]
    if found and all(sides) and {"train", "query"} <= set(sides):
        return [one[1:] for one in found], sides
    return found, [""] * len(keys)


def _beside(
    archive: Archive, key: str, beside: Mapping[str, Mapping[str, str]], encoding: str | None
) -> tuple[str, Any]:
    """The text and the labels that stand beside one picture; labels None where no file gives any."""
    text, labels = "", None
    if key in beside[".json"]:
        record = _record(archive, beside[".json"][key])
        roles = tables.recognised(record)
        text, labels = text_of(record.get(roles.get("text", ""))), record.get(roles.get("labels", ""))
    if key in beside[".txt"]:
        text = text_of(_read(archive, beside[".txt"][key], encoding))
    if key in beside[".cls"]:
        labels = _read(archive, beside[".cls"][key], encoding).strip() or None
    return text, labels


def _record(archive: Archive, name: str) -> dict[str, Any]:
    try:
        record = json.loads(_read(archive, name, None))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{archive.source}: {name} is not JSON ({error}).") from error
    if not isinstance(record, dict):
        raise DataError(
            f"{archive.source}: {name} must be a JSON object, but it is a {type(record).__name__}."
        )
    return record


def _read(archive: Archive, name: str, encoding: str | None) -> str:
    content = archive.read(name, largest=LARGEST_TEXT)
    encoding = encoding or ("utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        raise DataError(
            f"{archive.source}: {name} is not encoded as {encoding} ({error}); save it as UTF-8, "
            "or name its encoding (encoding=, --encoding), such as cp1252."
        ) from error
    except LookupError as error:
        raise DataError(f"{archive.source}: {error}; name the encoding of {name}, such as utf-8.") from error
