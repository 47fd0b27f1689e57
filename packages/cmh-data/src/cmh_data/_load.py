"""`load`: one call for every layout, decided by the file's content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.assemble import check_labels
from cmh_data._errors import DataError
from cmh_data._layouts.from_raw import from_raw
from cmh_data._layouts.options import ReadOptions
from cmh_data._layouts.presence import mark_missing
from cmh_data._layouts.read import read_raw
from cmh_data._protocols import find_protocol
from cmh_data._sample import sample

if TYPE_CHECKING:
    import os

    from cmh_data._dataset.assemble import Unlabelled
    from cmh_data._dataset.dataset import PairedDataset
    from cmh_data._dataset.drawn_split import DrawnSplit
    from cmh_data._layouts.presence import Missing
    from cmh_data._layouts.raw import RawData


def load(
    path_or_name: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    seed: int = 0,
    unlabelled: Unlabelled = "refuse",
    n_rows: int | None = None,
    pixel_axes: str = "auto",
    views: str = "IT",
    missing: Missing = "stated",
    split: DrawnSplit | None = None,
    first_row: int | None = None,
) -> PairedDataset:
    """Load a data set by its path, or the built-in one by the name "emoji".

    The layout is found from the content, never from the name. Features load into memory; pixels stay in their
    file and are read by row, with height before width.

    Args:
        path_or_name: a file, or a folder with the few files of one data set, or "emoji".
        protocol: a named split, see `protocols()`, in place of the file's own.
        seed: of the protocol's draw, where it draws.
        unlabelled: what to do with a row that has no label: "refuse" or "keep".
        n_rows: the number of rows, where square arrays leave it open.
        pixel_axes: the stored order of pixels, "height-width" or "width-height"; "auto": the latter under the
            field's MATLAB keys.
        missing: which values mean that a row has no image or no text, besides what the file's `image_present`
            and `text_present` say: "stated": none, "nan": rows that are all NaN, "zero-rows": rows that are
            all zero or NaN.
        split: a random split in place of the file's own.
        first_row: from which number the file's split counts rows, 0 or 1; None: from 1 where its numbers
            reach the number of rows and hold no 0.
        views: which views of a file with three (UCI digits) are image and text: "IT", "IP", "PT" and so on.

    A file of this package's own format states a digest. Where its arrays are read whole, the digest is
    computed again; of pixels, which stay on disk, at most 256 evenly spread rows are compared, besides texts,
    labels, split and names. A file that was edited in place is new data, and a finding says so.

    Returns:
        The checked data set. What is suspicious though not wrong stands in its `findings`: empty rows,
        constant columns, query rows that also train, and parts whose rows seem to be in different orders (a
        permutation test). Pixels on disk are not read for that; `inspect` tests their alignment.

    Raises:
        MissingPartsError: it can be read, but an image, text, label table or the split is missing.
        DataError: nothing there, damaged, or no usable data set; the message says why.

    Example:
        >>> load("emoji").name
        'emoji'
    """
    if path_or_name == "emoji":
        if protocol is not None:
            raise DataError(
                f"the emoji data set has its own split only, so the protocol {protocol} does not fit."
            )
        data = sample()
        return data if split is None else data.with_split(split.draw(data.image, data.label))
    path = Path(path_or_name)
    raw = read_raw(path, ReadOptions(n_rows=n_rows, pixel_axes=pixel_axes, views=views, first_row=first_row))
    mark_missing(raw, missing)
    if protocol is not None and split is not None:
        raise DataError("either a protocol or a drawn split can be asked for, but both are.")
    if protocol is not None:
        _apply_protocol(raw, protocol, seed)
    if split is not None:
        _draw(raw, split)
    kept = raw.attributes.get("unlabelled") == "keep"  # when the file was made
    return from_raw(raw, unlabelled="keep" if kept else unlabelled)


def _draw(raw: RawData, split: DrawnSplit) -> None:
    if raw.image is None:
        raise DataError(f"{raw.path} holds no images, so no split is drawn: a query needs both sides.")
    labels = np.zeros((raw.image.shape[0], 0), np.uint8) if raw.labels is None else raw.labels
    try:
        drawn = split.draw(
            raw.image,
            check_labels(labels),
            image_present=raw.present.get("image"),
            text_present=raw.present.get("text"),
        )
    except DataError as error:
        raise DataError(f"{raw.path}: {error}") from error
    raw.train, raw.query, raw.retrieval = drawn.train, drawn.query, drawn.retrieval
    raw.attributes = {key: value for key, value in raw.attributes.items() if key != "digest"}
    raw.warnings = [warning for warning in raw.warnings if "row 0" not in warning]
    raw.notes.append(f"split: {split}.")


def _apply_protocol(raw: RawData, protocol: str, seed: int) -> None:
    found = find_protocol(protocol)
    if raw.labels is None:
        raise DataError(
            f"{raw.path} holds no labels, so the protocol {protocol} cannot be checked against it."
        )
    try:
        width = None if raw.text is None else raw.text.shape[1]
        split = found.make(raw.labels, text_width=width, seed=seed, query=raw.query, retrieval=raw.retrieval)
    except DataError as error:
        raise DataError(f"{raw.path}: {error}") from error
    raw.train, raw.query, raw.retrieval = split.train, split.query, split.retrieval
    raw.attributes = {key: value for key, value in raw.attributes.items() if key != "digest"}
    drawn = f" drawn with seed {seed}" if found.seeded else ""
    raw.notes.append(f"split: protocol {protocol}{drawn}.")
