"""Build the programs of Debian from its DEP-11 index: icons, descriptions, categories."""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_data._builders.archive import DAMAGE, Archive
from cmh_data._builders.bag_of_words import bag_of_words, vocabulary_digest
from cmh_data._builders.common import built
from cmh_data._builders.packed import PackedFiles
from cmh_data._errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from cmh_data._builders.built_data import BuiltData

# The main categories of the freedesktop.org menu specification; Audio and Video always come with AudioVideo.
CATEGORIES: Mapping[str, str] = {
    "AudioVideo": "AudioVideo", "Audio": "AudioVideo", "Video": "AudioVideo", "Development": "Development",
    "Education": "Education", "Game": "Game", "Graphics": "Graphics", "Network": "Network",
    "Office": "Office", "Science": "Science", "Settings": "Settings", "System": "System",
    "Utility": "Utility",
}  # fmt: skip
LARGEST_INDEX = 1 << 30  # characters
LEAST_COUNT = 5
LARGEST_SHARE = 0.5
HOW = (
    "apt-get update -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=true (and DEP-11-icons), "
    "with the package appstream installed"
)


class IconPictures(Archive):
    """The source folder, and the icons of its tar files by size and name.

    Args:
        source: the folder with the index and the icons.

    Raises:
        DataError: there is no such folder, no icons are there, or a file is damaged.
    """

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self._icons: dict[str, tuple[PackedFiles, str]] = {}
        found = {}
        for name in sorted(self._files):
            if match := re.search(r"icons-(\d+)x\d+\.tar(\.gz)?$", name):
                found[int(match[1])] = PackedFiles(self._files[name])
        if not found:
            raise DataError(f"{source} lacks icons-64x64.tar.gz of Debian's DEP-11 data; get it with: {HOW}.")
        for size in sorted(found, reverse=True):  # the largest picture of each icon
            for inside in found[size].members:
                self._icons.setdefault(inside, (found[size], f"{size}x{size}/{inside}"))
        self._by_name = {name: (packed, inside) for inside, (packed, name) in self._icons.items()}

    def icon(self, name: str) -> str | None:
        """Return where the largest icon of this name is, or None."""
        found = self._icons.get(name)
        return None if found is None else found[1]

    def read(self, name: str, *, largest: int = LARGEST_INDEX) -> bytes:
        """Return the bytes of one file, at most `largest`."""
        if name not in self._by_name:
            return super().read(name, largest=largest)
        packed, inside = self._by_name[name]
        try:
            return packed.read(inside)
        except DAMAGE as error:
            raise self._unreadable(name, error) from error


def build_debian_apps(source: str | os.PathLike[str], **words: Any) -> BuiltData:
    r"""Programs of Debian: icons as images, what they say of themselves as texts, categories as labels.

    Rows are the components of the DEP-11 (AppStream) index, by name, that have a cached icon and one of the
    11 main categories of the freedesktop.org menu: 1,841 in Debian 12 (main), with 1 to 4 labels. An icon
    that several components share is kept once, with the first. The text is name, summary, description and
    keywords in English.

    Icons say little of what a program does, and texts name the category often in their own words ("game"), so
    the two sides are of unequal strength. Debian's index changes with point releases: the protocol
    `debian-apps` fits the rows of Debian 12 and refuses others.

    Args:
        source: the folder in which apt leaves `..._Components-amd64.yml.gz` and `..._icons-64x64.tar.gz`, and
            perhaps larger icons, of which the largest is taken.
        **words: how texts become words, see `bag_of_words`; by default words of two or more letters in at
            least 5 texts and at most half of them.

    Returns:
        Rows, words and labels, to be joined with image features or pixels.

    Raises:
        DataError: files are missing or not as documented.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         build_debian_apps(folder)
        ...     except DataError as error:
        ...         print(str(error)[len(folder) :].partition(";")[0])
         lacks icons-64x64.tar.gz of Debian's DEP-11 data
    """
    archive = IconPictures(Path(source))
    indices = [name for name in archive.names() if re.search(r"Components-[^/]*\.yml(\.gz)?$", name)]
    if not indices:
        raise DataError(
            f"{archive.source} lacks Components-amd64.yml.gz of Debian's DEP-11 data; get it with: {HOW}."
        )
    left_out: Counter[str] = Counter()
    rows: dict[str, tuple[str, str, list[str]]] = {}
    seen: set[bytes] = set()
    components = {one["ID"]: one for name in sorted(indices) for one in _components(archive, name)}
    for identifier, component in sorted(components.items()):
        icons = [place for name in _cached(component) if (place := archive.icon(name)) is not None]
        labels = sorted(
            {CATEGORIES[one] for one in _strings(component.get("Categories")) if one in CATEGORIES}
        )
        text = _text(component)
        if not (icons and labels and text):
            left_out["without an icon" if not icons else "without a main category or a text"] += 1
            continue
        digest = hashlib.sha256(archive.read(icons[0])).digest()
        if digest in seen:
            left_out["with the icon of an earlier one"] += 1
            continue
        seen.add(digest)
        rows[identifier] = icons[0], text, labels
    if not rows:
        raise DataError(f"{archive.source}: no component has an icon, a text and a main category.")
    texts = [text for _, text, _ in rows.values()]
    default = {"least_count": LEAST_COUNT, "largest_share": LARGEST_SHARE, "largest_vocabulary": None}
    table, vocabulary = bag_of_words(texts, **{**default, **words})
    names = sorted({one for _, _, labels in rows.values() for one in labels})
    return built(
        archive,
        name="debian-apps",
        ids=list(rows),
        image_names=[icon for icon, _, _ in rows.values()],
        text=table,
        text_vocabulary=vocabulary,
        label=np.array([[one in labels for one in names] for _, _, labels in rows.values()], np.uint8),
        label_names=names,
        captions=texts,
        steps=[
            f"{len(components)} components",
            *(f"{count} {what} left out" for what, count in left_out.items()),
            f"{len(vocabulary)} words, SHA-256 {vocabulary_digest(vocabulary)}",
        ],
    )


def _components(archive: Archive, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError("reading Debian's index needs PyYAML: install cmh-data[yaml].") from error
    try:
        content = archive.read(name)
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        documents = yaml.load_all(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for document in documents:
            if isinstance(document, dict) and isinstance(document.get("ID"), str):
                yield document
    except (*DAMAGE, yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{archive.source}: {name} cannot be read ({reason}); fetch it again.") from error


def _cached(component: Mapping[str, Any]) -> list[str]:
    icon = component.get("Icon")
    cached = icon.get("cached") if isinstance(icon, dict) else None
    return [str(one.get("name")) for one in cached or () if isinstance(one, dict)]


def _text(component: Mapping[str, Any]) -> str:
    """Name, summary, description without its markup, and keywords, in English."""
    parts = [_english(component.get(key)) for key in ("Name", "Summary", "Description")]
    plain = [html.unescape(re.sub(r"<[^>]*>", " ", one)) for one in parts if isinstance(one, str)]
    words = _strings(_english(component.get("Keywords")))
    return " ".join(" ".join([*plain, *words]).split())


def _english(value: Any) -> Any:
    return value.get("C", value.get("en")) if isinstance(value, dict) else None


def _strings(value: Any) -> Sequence[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
