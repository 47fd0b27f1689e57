"""Small pictures of the items of an index, drawn anew: nothing of a file is passed on as it is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cmh_data

from umml_cli.inputs.picture_files import PictureFiles, PictureInZip, small_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cmh_search import CodeIndex

SIDE = 320
"""Pixels of the longer side, at most."""
_CACHED = 1024


class Pictures:
    """Where the pictures of an index lie.

    Args:
        index: the opened index; the folder or zip file that it names is the only one that is read, whatever
            its items say.
    """

    def __init__(self, index: CodeIndex) -> None:
        root = index.remarks.get("pictures")
        self._files = PictureFiles(Path(root)) if isinstance(root, str) else None
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

    def _source(self, item: Mapping[str, Any]) -> Path | bytes | PictureInZip | None:
        if item["id"] in self._built_in:
            return self._built_in[item["id"]]
        name = item["payload"].get("picture")
        if self._files is None or not isinstance(name, str):
            return None
        return self._files.find(name)

    @staticmethod
    def _make(source: Path | bytes | PictureInZip) -> bytes | None:
        return small_picture(source, SIDE)
