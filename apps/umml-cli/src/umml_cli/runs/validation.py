"""Rows that a run trains on and is measured on: the data set's, or training rows held out for choices."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cmh_data

if TYPE_CHECKING:
    from cmh_data import PairedDataset


@lru_cache(maxsize=4)  # a data set is one object for all runs of a worker
def rows_of_run(dataset: PairedDataset, validation: float) -> PairedDataset:
    """Return the data set with the rows of a run: the same held-out rows in every cell and for every seed.

    Args:
        dataset: the data set.
        validation: percentage of the training rows that are held out; 0: none.

    Raises:
        DataError: that many cannot be held out.
    """
    return cmh_data.hold_out(dataset, validation) if validation else dataset
