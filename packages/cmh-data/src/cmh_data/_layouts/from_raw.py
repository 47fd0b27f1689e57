"""From the parts a reader found to a checked data set."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.assemble import Unlabelled, assemble
from cmh_data._errors import DataError, MissingPartsError, shorten
from cmh_data._layouts.tables import PLAIN

if TYPE_CHECKING:
    from cmh_data._dataset.dataset import PairedDataset
    from cmh_data._layouts.raw import RawData


@np.errstate(all="ignore")  # damaged files hold numbers that NumPy warns of
def from_raw(raw: RawData, *, unlabelled: Unlabelled = "refuse", find_warnings: bool = True) -> PairedDataset:
    """Check the parts that were found and make a data set of them, by default with what is suspicious."""
    if raw.labels is None and raw.image is not None and raw.text is not None:
        raw.labels = np.zeros((raw.image.shape[0], 0), np.uint8)
        raw.warnings.append(
            "there are no labels: only instance recall can be measured (does a query find its own item)."
        )
    _require_parts(raw)
    assert raw.image is not None and raw.text is not None and raw.labels is not None  # noqa: PT018 - one condition
    assert raw.train is not None and raw.query is not None  # noqa: PT018 - likewise
    try:
        dataset = assemble(
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
            captions=raw.captions,
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
    if dataset.stored_digest is not None and find_warnings and _was_edited(raw, dataset):
        edited = (
            "The file was edited after it was made: its content is not that of the digest it states, "
            "so it is read as new data."
        )
        dataset = replace(dataset, stored_digest=None, findings=(edited, *dataset.findings))
    return replace(dataset, findings=(*raw.warnings, *dataset.findings)) if find_warnings else dataset


def _was_edited(raw: RawData, dataset: PairedDataset) -> bool:
    """Whether the content of a file is not what its digest says; see `load` for what is compared."""
    if isinstance(dataset.image, np.ndarray) and isinstance(dataset.text, np.ndarray):
        return dataset.compute_digest() != dataset.stored_digest
    rows_digest = raw.attributes.get("rows_digest")
    return rows_digest is not None and bool(dataset.sampled_digest() != rows_digest)


def _require_parts(raw: RawData) -> None:
    parts = {**raw.parts, "train": raw.train, "query": raw.query}
    missing = [name for name in ("image", "text", "labels", "train", "query") if parts.get(name) is None]
    if not missing:
        return
    parts_there = [name for name, part in parts.items() if part is not None]
    there = shorten(raw.keys or parts_there, 16)
    if set(missing) <= {"train", "query"}:
        raise MissingPartsError(
            f"{raw.path} has no {' and '.join(missing)} rows ({raw.layout}); "
            f"it holds {there}. Name the arrays of row numbers or masks train, query and, "
            "if wanted, retrieval, or draw a split: --split-seed 0 (split=DrawnSplit(seed=0)), "
            "or choose a protocol= (--protocol) that fits."
        )
    cure = "name the arrays so" if raw.layout == PLAIN else "give the folder that holds all parts"
    raise MissingPartsError(
        f"{raw.path} lacks {', '.join(missing)} ({raw.layout}); it holds {there}. Expected are arrays such "
        f"as image, text, labels, train, query and, if wanted, retrieval: {cure}."
        + "".join(f" The array {warning}" for warning in raw.warnings)
    )


def _provenance(raw: RawData) -> dict[str, object]:
    stated = raw.attributes.get("provenance")
    if stated:
        try:
            return dict(json.loads(stated))
        except (ValueError, TypeError) as error:
            raise DataError(f"{raw.path}: the attribute provenance is not a JSON object.") from error
    return {"file": raw.path.name, "layout": raw.layout, "read": dict(raw.chosen), "notes": list(raw.notes)}
