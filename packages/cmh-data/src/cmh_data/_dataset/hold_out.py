"""Training rows held out as queries, so that choices are made without the query set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.assemble import check_split
from cmh_data._dataset.drawn_split import equal_rows
from cmh_data._dataset.random_split import query_candidates, random_split
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from cmh_data._dataset.dataset import PairedDataset


def hold_out(dataset: PairedDataset, percentage: float, *, seed: int = 0) -> PairedDataset:
    """Return the same rows with some training rows as queries, for choosing options by their mAP.

    The held-out rows leave training and the retrieval set; the query rows take no part at all. Rows with
    equal images stay on one side. They have an image, a text and, where there are labels, a label; where no
    training row has both sides, one of them.

    Args:
        dataset: the data set.
        percentage: share of the training rows, above 0 and below 100.
        seed: decides the draw.

    Returns:
        A data set that shares the arrays of this one.

    Raises:
        DataError: `percentage` is outside its range, the training rows are too few, or nothing would be left
            to rank.

    Example:
        >>> import cmh_data
        >>> emoji = cmh_data.load("emoji")
        >>> held = cmh_data.hold_out(emoji, 20)
        >>> bool(set(held.split.query) <= set(emoji.split.train))
        True
    """
    if not 0 < percentage < 100:
        raise DataError(
            f"percentage must be above 0 and below 100, but it is {percentage:g}; 10 to 20 are usual."
        )
    old = dataset.split
    rows = old.train
    usable = query_candidates(dataset.image_present[rows], dataset.text_present[rows], dataset.label[rows])
    groups = equal_rows(dataset.image, dataset.image_present)[rows]
    n_query = round(len(np.unique(groups)) * percentage / 100)
    if n_query < 1:
        raise DataError(
            f"{percentage:g}% of {len(rows)} training rows of {dataset.name} is less than one row; hold "
            "more out."
        )
    drawn = random_split(len(rows), n_query=n_query, seed=seed, groups=groups, may_query=usable)
    held = rows[drawn.query]
    ranked = np.setdiff1d(old.retrieval, np.concatenate([held, old.query]))
    if not len(ranked):
        raise DataError(f"Nothing of {dataset.name} would be left to rank; hold fewer rows out.")
    return dataset.with_split(
        check_split(len(dataset.label), train=rows[drawn.train], query=held, retrieval=ranked)
    )
