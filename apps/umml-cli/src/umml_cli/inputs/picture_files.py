"""Small pictures from a folder or a zip file, drawn anew: nothing of a file is passed on as it is."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from umml_cli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

_LARGEST = 256 << 20  # bytes of a picture in a zip file


@dataclass(frozen=True)
class PictureInZip:
    """A picture in a zip file, read when it is needed; its text is its path there."""

    archive: zipfile.ZipFile = field(compare=False, repr=False)
    name: str

    def __str__(self) -> str:
        return self.name

    def read_bytes(self) -> bytes:
        """Return the picture file's bytes."""
        return self.archive.read(self.name)


def check_names(source: Path, names: Iterable[str]) -> None:
    """Refuse names of pictures that no file of results can hold.

    Args:
        source: the folder or file that they lie in.
        names: of the pictures.

    Raises:
        UserError: one is not UTF-8.
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{source}: the name of a picture is not UTF-8, {os.fsencode(name)!r}; rename it."
            ) from None


class PictureFiles:
    """The pictures of a folder or a zip file, by their paths in it; no other file is ever read.

    Args:
        root: the folder or zip file; where there is none, no picture is found.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._archive = None
        if self._root.is_file():
            with contextlib.suppress(OSError, zipfile.BadZipFile):
                self._archive = zipfile.ZipFile(self._root)

    def find(self, name: str) -> Path | PictureInZip | None:
        """Return the picture of a name, or None where there is none."""
        if self._archive is not None:
            member = self._archive.NameToInfo.get(name)
            small = member is not None and not member.is_dir() and member.file_size <= _LARGEST
            return PictureInZip(self._archive, name) if small else None
        path = (self._root / name).resolve()
        return path if path.is_relative_to(self._root) and path.is_file() else None

    def small(self, name: str, side: int) -> bytes | None:
        """Return a WebP file of a picture, or None where there is none that can be read."""
        source = self.find(name)
        return None if source is None else small_picture(source, side)


def small_picture(source: Path | bytes | PictureInZip, side: int) -> bytes | None:
    """Return a picture as WebP, its longer side at most `side` pixels; None where it cannot be read."""
    from cmh_features import UnreadableItemError, open_image  # noqa: PLC0415 - only where there are pictures

    try:
        return shrink(open_image(source, shrink_to=side), side)
    except UnreadableItemError:
        return None


def shrink(image: Image.Image, side: int) -> bytes:
    """Return an image as WebP, its longer side at most `side` pixels."""
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=82)
    return out.getvalue()


def check_pictures(root: Path) -> Path:
    """Return the folder or zip file of pictures.

    Raises:
        UserError: it is neither.
    """
    if not root.is_dir() and not zipfile.is_zipfile(root):
        raise UserError(f"--pictures must be a folder or a zip file, but {root} is neither.")
    return root


def picture_roots(assignments: Iterable[str], names: Iterable[str]) -> dict[str, Path]:
    """Return where the pictures of each data set lie, from `NAME=PATH` arguments.

    Args:
        assignments: `NAME=PATH`; a path alone is of the only data set there is.
        names: the data sets.

    Raises:
        UserError: a data set is none of these, or a path no folder or zip file.
    """
    names = list(names)
    found: dict[str, Path] = {}
    for assignment in assignments:
        name, sign, path = assignment.partition("=")
        if not sign or "/" in name:
            if len(names) != 1:
                raise UserError(
                    f"--pictures takes NAME=PATH where there are several data sets ({', '.join(names)}), "
                    f"got {assignment!r}."
                )
            name, path = names[0], assignment
        if name not in names:
            raise UserError(f"--pictures names {name}, but the data sets are {', '.join(names)}.")
        found[name] = check_pictures(Path(path)).resolve()
    return found
