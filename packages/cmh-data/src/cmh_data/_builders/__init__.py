"""Builders: from official distributions, or anyone's own folder, to data; one file for each data set."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cmh_data._builders.bag_of_words import bag_of_words
from cmh_data._builders.built_data import BuiltData
from cmh_data._builders.coco import build_coco
from cmh_data._builders.debian_apps import build_debian_apps
from cmh_data._builders.flickr30k import build_flickr30k
from cmh_data._builders.folder import build_folder
from cmh_data._builders.hanzi import build_hanzi
from cmh_data._builders.mirflickr25k import build_mirflickr25k
from cmh_data._builders.nuswide import build_nuswide
from cmh_data._builders.wikipedia import build_wikipedia

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BuiltData",
    "bag_of_words",
    "build_coco",
    "build_debian_apps",
    "build_flickr30k",
    "build_folder",
    "build_hanzi",
    "build_mirflickr25k",
    "build_nuswide",
    "build_wikipedia",
    "builders",
]


def builders() -> Mapping[str, Callable[..., BuiltData]]:
    """Return all builders by name.

    Returns:
        From names as `umml data build` takes them to functions of a source folder.

    Example:
        >>> "folder" in builders()
        True
    """
    return _BUILDERS


_BUILDERS: Mapping[str, Callable[..., BuiltData]] = MappingProxyType(
    {
        "mirflickr25k": build_mirflickr25k,
        "nuswide": build_nuswide,
        "coco": build_coco,
        "flickr30k": build_flickr30k,
        "wikipedia": build_wikipedia,
        "hanzi": build_hanzi,
        "debian-apps": build_debian_apps,
        "folder": build_folder,
    }
)
