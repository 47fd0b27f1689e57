"""Seeded splits of any data: grouped, stratified, with queries that have both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.assemble import check_split
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import Split


def query_candidates(
    image_present: NDArray[np.bool_], text_present: NDArray[np.bool_], label: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return the rows that have what a query needs.

    An image and a text and, where there are labels, a label; where no row has both sides, one of them.

    Args:
        image_present: `(n,)` bool, rows that have an image.
        text_present: `(n,)` bool, rows that have a text.
        label: `(n, n_label)` uint8 zeros and ones.

    Returns:
        `(n,)` bool.
    """
    usable = image_present & text_present
    if not usable.any():
        usable = image_present | text_present
    return usable & label.any(axis=1) if label.any() else usable


def random_split(
    n: int,
    *,
    n_query: int | None = None,
    n_train: int | None = None,
    seed: int = 0,
    groups: NDArray[np.integer] | None = None,
    may_query: NDArray[np.bool_] | None = None,
    strata: NDArray[np.integer] | None = None,
) -> Split:
    """Draw queries, and training rows out of the others.

    Args:
        n: number of rows.
        n_query: number of queries; None: a tenth of the rows. With `groups`, number of groups.
        n_train: number of training rows; None: all that are no queries. With `groups`, number of groups.
        seed: decides the draw.
        groups: `(n,)` integers; rows of one group stay on one side.
        may_query: `(n,)` bool, rows that can be queries; the others train and are ranked only.
        strata: `(n,)` integers, such as a class of each row; queries and training rows are drawn from each
            in proportion to its size.

    Returns:
        The split; its retrieval set is every row that is no query.

    Raises:
        DataError: more rows are asked for than there are, or arrays that have not `n` rows.

    Example:
        >>> split = random_split(50, n_query=5, n_train=20, seed=1)
        >>> len(split.query), len(split.train), len(split.retrieval)
        (5, 20, 45)
    """
    for name, array in (("groups", groups), ("may_query", may_query), ("strata", strata)):
        if array is not None and array.shape != (n,):
            raise DataError(f"{name} must have the shape ({n},), but it is {array.shape}.")
    owner = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_group = int(owner.max(initial=-1)) + 1
    usable = np.ones(n_group, np.bool_)
    if may_query is not None:
        usable[owner[~may_query]] = False
    n_usable = int(usable.sum())
    n_query = max(1, n_group // 10) if n_query is None else n_query
    n_train = n_group - n_query if n_train is None else n_train
    if n_query < 1 or n_train < 1 or n_query + n_train > n_group:
        things = "rows" if groups is None or n_group == n else "groups of rows"
        raise DataError(
            f"{n_query} queries and {n_train} training rows cannot be drawn from {n_group} {things}."
        )
    if n_query > n_usable:
        raise DataError(
            f"{n_query} queries cannot be drawn: only {n_usable} rows, or groups of rows with equal "
            "pictures, have all that a query needs (an image, a text and, where there are labels, a label)."
        )
    order = np.random.default_rng(seed).permutation(n_group)
    if strata is not None:
        stratum = np.zeros(n_group, np.int64)
        stratum[owner] = strata  # of a group, the stratum of its last row
        order = _interleave(order, stratum)
    query = order[usable[order]][:n_query]
    rest = order[~np.isin(order, query)]
    sides = [np.flatnonzero(np.isin(owner, part)) for part in (rest[:n_train], query, rest)]
    return check_split(n, train=sides[0], query=sides[1], retrieval=sides[2])


def _interleave(order: NDArray[np.int64], stratum: NDArray[np.int64]) -> NDArray[np.int64]:
    """Reorder so that every beginning of the order holds each stratum in proportion to its size."""
    place = np.empty(len(order))
    for one in np.unique(stratum):
        inside = stratum[order] == one
        size = int(inside.sum())
        place[inside] = (np.arange(size) + 0.5) / size
    return order[np.argsort(place, kind="stable")]
