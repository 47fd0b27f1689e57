"""From the parts a reader found to a checked data set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._assemble import Unlabelled, assemble
from cmh_data._errors import DataError, MissingPartsError, shorten

if TYPE_CHECKING:
    from cmh_data._dataset import PairedDataset
    from cmh_data._raw import RawData


@np.errstate(all="ignore")  # damaged files hold numbers that NumPy warns of
def from_raw(raw: RawData, *, unlabelled: Unlabelled = "refuse", find_warnings: bool = True) -> PairedDataset:
    """Check the parts that were found and make a data set of them, by default with what is suspicious."""
    _require_parts(raw)
    assert raw.image is not None and raw.text is not None and raw.labels is not None  # noqa: PT018 - one condition
    assert raw.train is not None and raw.query is not None  # noqa: PT018 - likewise
    try:
        return assemble(
            image=raw.image,
            text=raw.text,
            labels=raw.labels,
            train=raw.train,
            query=raw.query,
            retrieval=raw.retrieval,
            ids=raw.ids,
            label_names=raw.label_names,
            text_vocabulary=raw.text_vocabulary,
            fine_labels=raw.fine_labels,
            name=str(raw.attributes.get("name", raw.path.stem)),
            provenance=_provenance(raw),
            stored_digest=raw.attributes.get("digest"),
            unlabelled=unlabelled,
            find_warnings=find_warnings,
            image_present=raw.present.get("image"),
            text_present=raw.present.get("text"),
        )
    except DataError as error:
        raise DataError(f"{raw.path}: {error}") from error


def _require_parts(raw: RawData) -> None:
    parts = {**raw.parts, "train": raw.train, "query": raw.query}
    missing = [name for name in ("image", "text", "labels", "train", "query") if parts.get(name) is None]
    if not missing:
        return
    there = [name for name, part in parts.items() if part is not None]
    if raw.layout.startswith("plain"):
        raise MissingPartsError(
            f"{raw.path} lacks {', '.join(missing)}: expected the keys image, text, labels, train, query "
            f"and, if wanted, retrieval; found {shorten(there)}."
        )
    cure = (
        "choose a protocol=" if set(missing) <= {"train", "query"} else "give the folder that holds all parts"
    )
    raise MissingPartsError(
        f"{raw.path} holds {shorten(there)} but no {', '.join(missing)} ({raw.layout}): {cure}."
    )


def _provenance(raw: RawData) -> dict[str, object]:
    stated = raw.attributes.get("provenance")
    if stated:
        try:
            return dict(json.loads(stated))
        except (ValueError, TypeError) as error:
            raise DataError(f"{raw.path}: the attribute provenance is no JSON object.") from error
    return {"file": raw.path.name, "layout": raw.layout, "read": dict(raw.chosen), "notes": list(raw.notes)}
