"""The real data set inside the package: emoji, each with its picture's features and its words."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import TYPE_CHECKING

from cmh_files import trust

from cmh_data._layouts.from_raw import from_raw
from cmh_data._layouts.read import read_raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cmh_data._dataset.dataset import PairedDataset

_FOLDER = files("cmh_data") / "emoji"


def sample() -> PairedDataset:
    """Load the built-in emoji data set, 1,876 pairs of a picture and its words.

    Its parts: `image` `(1876, 1280)` float32, EfficientNet-Lite0 features of the OpenMoji picture; `text`
    `(1876, 615)` uint8, which words name the emoji; `label` `(1876, 9)` uint8, its Unicode group;
    `fine_labels`, its subgroup; `ids`, the emoji themselves. 300 rows are queries, the other 1,576 are the
    retrieval set, 1,200 of these train. Rows are in a shuffled order.

    The pictures are by OpenMoji, CC BY-SA 4.0; the attribution stands in the package's folder `emoji`.

    Returns:
        The data set.

    Raises:
        DataError: the installed package is damaged.

    Example:
        >>> data = sample()
        >>> data.image.shape, data.text.shape, data.label.shape
        ((1876, 1280), (1876, 615), (1876, 9))
    """
    with sample_file() as path:
        return from_raw(read_raw(path))


@contextmanager
def sample_file() -> Iterator[Path]:
    """The file of the built-in data set, which needs no distrust."""
    with as_file(_FOLDER / "emoji.h5") as path:
        trust(path)
        yield path


@cache
def sample_pictures() -> Mapping[str, bytes]:
    r"""The pictures of the built-in data set: the emoji (an id of `sample()`) to the bytes of a 72-pixel PNG.

    Returns:
        From each emoji to its PNG file.

    Example:
        >>> sample_pictures()["🎈"][:4]
        b'\x89PNG'
    """
    with as_file(_FOLDER / "pictures.zip") as path, zipfile.ZipFile(path) as archive:
        codes = {name: archive.read(name) for name in archive.namelist()}
    return MappingProxyType({_emoji(name): png for name, png in codes.items()})


def _emoji(file_name: str) -> str:
    return "".join(chr(int(code, 16)) for code in file_name.removesuffix(".png").split("-"))
