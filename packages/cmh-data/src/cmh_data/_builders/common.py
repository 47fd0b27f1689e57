"""What every builder ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cmh_data._builders.built_data import BuiltData
from cmh_data._dataset.assemble import check_split
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cmh_data._builders.archive import Archive


def built(
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
    image_present: NDArray[np.bool_] | None = None,
    text_present: NDArray[np.bool_] | None = None,
    check_images: bool = False,
    captions: Sequence[str] = (),
) -> BuiltData:
    """Check what a builder found and make it one thing."""
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
        image_present=image_present,
        text_present=text_present,
        check_images=check_images,
        captions=tuple(captions),
        split=None if split is None else check_split(len(ids), train=split[0], query=split[1]),
        provenance={"built_from": archive.source.name, "builder": name, "steps": list(steps)},
    )
