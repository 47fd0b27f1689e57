"""A split to be drawn for data that come without one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmh_data._dataset.dataset import row_blocks
from cmh_data._dataset.random_split import query_candidates, random_split
from cmh_data._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray, Split


@dataclass(frozen=True, kw_only=True)
class DrawnSplit:
    """A random split of any data, the same for the same seed.

    Queries are drawn from rows that have an image and a text and, where there are labels, a label; where no
    row has both sides, from all rows.

    Args:
        n_query: number of queries; None: a tenth of the rows.
        n_train: number of training rows; None: all that are no queries.
        seed: decides the draw.
        stratified: draw from each class in proportion; a row's class is its first label.
        keep_together: "identical": rows with equal images stay on one side; "nothing": rows are drawn alone.

    Raises:
        DataError: `keep_together` is something else.

    Example:
        >>> import numpy as np
        >>> images = np.repeat(np.arange(20.0), 2)[:, None]  # each image twice
        >>> split = DrawnSplit(n_query=3, seed=1).draw(images, np.ones((40, 1), np.uint8))
        >>> len(split.query), len(split.train), len(set(images[split.query, 0]) & set(images[split.train, 0]))
        (6, 34, 0)
    """

    n_query: int | None = None
    n_train: int | None = None
    seed: int = 0
    stratified: bool = False
    keep_together: Literal["identical", "nothing"] = "identical"

    def __post_init__(self) -> None:
        if self.keep_together not in {"identical", "nothing"}:
            raise DataError(
                f'keep_together must be "identical" or "nothing", but it is {self.keep_together!r}.'
            )

    def draw(
        self,
        image: RowArray,
        label: NDArray[np.uint8],
        *,
        image_present: NDArray[np.bool_] | None = None,
        text_present: NDArray[np.bool_] | None = None,
    ) -> Split:
        """Draw the split.

        Args:
            image: `(n, ...)` features or pixels of any numeric dtype, of which equal rows stay together.
            label: `(n, n_label)` uint8 zeros and ones.
            image_present: `(n,)` bool, rows that have an image; None: all.
            text_present: `(n,)` bool, rows that have a text; None: all.

        Returns:
            The split; its retrieval set is every row that is no query.

        Raises:
            DataError: more rows are asked for than there are.
        """
        n = len(label)
        images = np.ones(n, np.bool_) if image_present is None else image_present
        texts = np.ones(n, np.bool_) if text_present is None else text_present
        strata = np.zeros(n, np.int64)
        if self.stratified and label.shape[1]:
            strata = np.where(label.any(axis=1), label.argmax(axis=1), -1)
        if not (images & texts).any():  # so each side has its share of queries
            strata = 2 * strata + images
        return random_split(
            n,
            n_query=self.n_query,
            n_train=self.n_train,
            seed=self.seed,
            groups=equal_rows(image, images) if self.keep_together == "identical" else None,
            may_query=query_candidates(images, texts, label),
            strata=strata if strata.any() else None,
        )


def equal_rows(image: RowArray, present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number the rows so that equal images share a number; a row without an image is alone.

    Args:
        image: `(n, ...)` features or pixels.
        present: `(n,)` bool, rows that have an image.

    Returns:
        `(n,)` int64.
    """
    first: dict[bytes, int] = {}
    groups = np.arange(len(present))
    row = 0
    for block in row_blocks(image):
        for values in np.ascontiguousarray(block):
            if present[row]:
                groups[row] = first.setdefault(
                    hashlib.blake2b(values.tobytes(), digest_size=16).digest(), row
                )
            row += 1
    return groups
