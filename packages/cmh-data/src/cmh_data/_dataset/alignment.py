"""Are the rows of two tables about the same items? A permutation test that a shuffled file fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_data._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import RowArray

ROWS = 300
LEAST_ROWS = 20  # fewer show nothing
PERMUTATIONS = 99
# With a p-value above this, shuffled rows agree about as well as the file's rows do.
LARGEST_ALIGNED = 0.01


def alignment_p_value(first: RowArray, second: RowArray, *, seed: int = 0) -> float:
    """Test whether rows that are alike in one table are alike in the other more often than shuffled rows are.

    The statistic is the Hilbert-Schmidt independence criterion (Gretton et al., ALT 2005) of the cosine
    similarities, on at most 300 rows, against 99 permutations of the second table's rows.

    Args:
        first: `(n, ...)` features, pixels or labels of any numeric dtype.
        second: `(n, ...)` likewise, any numeric dtype.
        seed: of the row choice and the permutations.

    Returns:
        The p-value, from 0.01; a small one says that the rows are aligned.

    Raises:
        DataError: the tables differ in their number of rows.

    Example:
        >>> import numpy as np
        >>> classes = np.arange(200) % 4
        >>> features = np.eye(4)[classes] + np.random.default_rng(0).normal(size=(200, 4))
        >>> alignment_p_value(features, np.eye(4)[classes])
        0.01
    """
    n = first.shape[0]
    if second.shape[0] != n:
        raise DataError(
            f"both tables must have the same number of rows, but they have {n} and {second.shape[0]}."
        )
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(n)[:ROWS])
    similar_first, similar_second = _centred_cosines(first, rows), _centred_cosines(second, rows)
    observed = float((similar_first * similar_second).sum())
    as_large = 0
    for _ in range(PERMUTATIONS):
        order = rng.permutation(len(rows))
        shuffled = similar_second[order].take(order, axis=1)
        as_large += float((similar_first * shuffled).sum()) >= observed - 1e-9
    return (1 + as_large) / (1 + PERMUTATIONS)


def _centred_cosines(array: RowArray, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if len(array.shape) == 4:  # pixels: their colours on a coarse grid
        height, width = (max(1, size // 8) for size in array.shape[2:])
        table = np.stack([array[int(row)][:, ::height, ::width] for row in rows]).astype(np.float64)
    else:
        table = np.asarray(array[rows]).astype(np.float64)
    table = table.reshape(len(rows), -1)
    table = table - table.mean(axis=0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    cosines = table @ table.T  # (rows, rows)
    np.fill_diagonal(cosines, 0.0)
    mean = cosines.mean(axis=0)
    centred: NDArray[np.float64] = cosines - mean[:, None] - mean[None, :] + mean.mean()
    return centred
