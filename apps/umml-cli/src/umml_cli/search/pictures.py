"""Small pictures of the items of an index, drawn anew: nothing of a file is passed on as it is."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cmh_data
from cmh_features import UnreadableItemError, open_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_search import CodeIndex
    from PIL import Image

SIDE = 320
"""Pixels of the longer side, at most."""
_CACHED = 1024
_LARGEST = 256 << 20  # bytes of a picture in a zip file


@dataclass(frozen=True)
class _Member:
    """A picture in a zip file, read when it is needed."""

    archive: zipfile.ZipFile = field(compare=False, repr=False)
    name: str

    def read_bytes(self) -> bytes:
        return self.archive.read(self.name)


class Pictures:
    """Where the pictures of an index lie.

    Args:
        index: the opened index; the folder or zip file that it names is the only one that is read, whatever
            its items say.
    """

    def __init__(self, index: CodeIndex) -> None:
        root = index.remarks.get("pictures")
        self._root = Path(root).resolve() if isinstance(root, str) else None
        self._archive = None
        if self._root is not None and self._root.is_file():
            with contextlib.suppress(OSError, zipfile.BadZipFile):
                self._archive = zipfile.ZipFile(self._root)
        self._built_in: Mapping[str, bytes] = {}
        data = index.remarks.get("data", {})
        if data.get("name") == "emoji" and data.get("digest") == cmh_data.sample().digest:
            self._built_in = cmh_data.sample_pictures()
        self._small = lru_cache(maxsize=_CACHED)(self._make)

    def has(self, item: Mapping[str, Any]) -> bool:
        """Whether an item, as a search gives it, has a picture."""
        return self._source(item) is not None

    def small(self, item: Mapping[str, Any]) -> bytes | None:
        """A WebP file of an item's picture, or None where it has none that can be read."""
        source = self._source(item)
        return None if source is None else self._small(source)

    def _source(self, item: Mapping[str, Any]) -> Path | bytes | _Member | None:
        if item["id"] in self._built_in:
            return self._built_in[item["id"]]
        name = item["payload"].get("picture")
        if self._root is None or not isinstance(name, str):
            return None
        if self._archive is not None:
            member = self._archive.NameToInfo.get(name)
            small = member is not None and not member.is_dir() and member.file_size <= _LARGEST
            return _Member(self._archive, name) if small else None
        path = (self._root / name).resolve()
        return path if path.is_relative_to(self._root) and path.is_file() else None

    @staticmethod
    def _make(source: Path | bytes | _Member) -> bytes | None:
        try:
            return shrink(open_image(source, shrink_to=SIDE))
        except UnreadableItemError:
            return None


def shrink(image: Image.Image) -> bytes:
    """Return an image as WebP, its longer side at most `SIDE` pixels."""
    image.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=82)
    return out.getvalue()
