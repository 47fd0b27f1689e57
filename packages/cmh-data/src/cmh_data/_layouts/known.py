"""The published data sets that a file may be, by its sizes and, where known, by its labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import PairedDataset


@dataclass(frozen=True, kw_only=True)
class KnownDataset:
    """A published data set.

    Args:
        key: the short name, as protocols and builders use it.
        title: the name for people.
        rows: number of items.
        text_widths: the text widths it comes with; empty: any.
        label_columns: number of labels.
        label_digest: SHA-256 over the uint8 label table in the published row order, where known.
    """

    key: str
    title: str
    rows: int
    text_widths: tuple[int, ...]
    label_columns: int
    label_digest: str = ""


KNOWN: tuple[KnownDataset, ...] = (
    KnownDataset(
        key="mirflickr25k",
        title="MIR-Flickr25K, DCMH cut",
        rows=20015,
        text_widths=(1386, 1387),
        label_columns=24,
        label_digest="9ec23f0453a13c61b98fe4cf5d8d9d34ed183531f5ca691f445b5b9e2ecba4f8",
    ),
    KnownDataset(
        key="nuswide-tc21", title="NUS-WIDE TC21", rows=195834, text_widths=(1000,), label_columns=21
    ),
    KnownDataset(
        key="nuswide-tc10", title="NUS-WIDE TC10", rows=186577, text_widths=(1000,), label_columns=10
    ),
    KnownDataset(
        key="coco", title="MS-COCO of CFRH and CCAH", rows=87081, text_widths=(2000,), label_columns=91
    ),
    KnownDataset(
        key="wikipedia",
        title="Wikipedia articles (Rasiwasia et al. 2010)",
        rows=2866,
        text_widths=(),
        label_columns=10,
        label_digest="5de5570bd49df44876a2c0b829561ff70f3aa1d64287014fe2cb4593bc8e7f5a",
    ),
    KnownDataset(
        key="pascal-sentence",
        title="Pascal Sentence, all rows",
        rows=1000,
        text_widths=(300,),
        label_columns=20,
    ),
    KnownDataset(
        key="emoji",
        title="the emoji data set of cmh-data",
        rows=1876,
        text_widths=(615,),
        label_columns=9,
        label_digest="b34705fb1fb6a8f198c49fdc1655fe8b15d2430474bbf58057eb364a239c9b08",
    ),
    KnownDataset(
        key="hanzi",
        title="Chinese characters of unicode-data 15.0.0 and fonts-wqy-zenhei 0.9.45",
        rows=20035,
        text_widths=(),
        label_columns=214,
        label_digest="e8e4672e929d30101ef929c782ce8c02dcfe2c296219fa864e729acaeb0e4f9d",
    ),
    KnownDataset(
        key="debian-apps",
        title="programs of Debian 12 (main)",
        rows=1841,
        text_widths=(),
        label_columns=11,
        label_digest="0a788d5fa1c530b80193dc8a98de044fc57bcedece113128d63e6bd2fcfbd9b8",
    ),
)


def label_digest(labels: NDArray[Any]) -> str:
    """SHA-256 over a label table as uint8, shape included."""
    table = np.ascontiguousarray(labels, dtype=np.uint8)
    return hashlib.sha256(f"{table.shape};".encode() + table.tobytes()).hexdigest()


def identify(
    shapes: Mapping[str, tuple[int, ...]], labels: NDArray[Any] | None
) -> tuple[KnownDataset | None, str]:
    """Which known data set this may be, and how sure that is in one phrase.

    Args:
        shapes: shapes of the parts `image`, `text`, `labels` that are there.
        labels: the label table of zeros and ones, where there is one.

    Returns:
        The data set or None, and a phrase such as "same rows in the published order".
    """
    for known in KNOWN:
        rows = {shape[0] for shape in shapes.values()}
        text, label = shapes.get("text"), shapes.get("labels")
        if rows != {known.rows} or (text is None and label is None):
            continue
        if text is not None and known.text_widths and text[1] not in known.text_widths:
            continue
        if label is not None and label[1] != known.label_columns:
            continue
        if labels is None or not known.label_digest:
            return known, "by its sizes"
        if label_digest(labels) == known.label_digest:
            return known, "by its sizes, and all labels are in the published row order"
        return known, "by its sizes, but the labels are not in the published row order"
    return None, "no known data set has these sizes"


def published_name(dataset: PairedDataset) -> str | None:
    """Name the published data set that this is, whole and unchanged in sizes and labels.

    Published numbers may stand beside results on these data, and on no others: not on simulated data, a cut
    of the rows, other labels, or data with items missing.

    Args:
        dataset: any data set.

    Returns:
        The short name, such as "mirflickr25k"; None where it is none, or where that cannot be told.

    Example:
        >>> import cmh_data
        >>> published_name(cmh_data.sample())
        'emoji'
        >>> published_name(cmh_data.simulate(n=20_015, image_width=4)) is None
        True
    """
    if dataset.provenance.get("simulated") or not (
        dataset.image_present.all() and dataset.text_present.all()
    ):
        return None
    shapes = {"text": dataset.text.shape, "labels": dataset.label.shape}
    known, _ = identify(shapes, dataset.label)
    if known is None or (known.label_digest and label_digest(dataset.label) != known.label_digest):
        return None
    return known.key
