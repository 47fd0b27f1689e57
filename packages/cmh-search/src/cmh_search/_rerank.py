"""Order the nearest items anew by the cosine of network outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmh_search._errors import CodeIndexError, check_whole
from cmh_search._segment import SIDES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmh_search._combine import Combine
    from cmh_search._results import Neighbours
    from cmh_search._segment import Side
    from cmh_search._state import IndexState


def check_query_values(
    state: IndexState, rerank: int | None, given: ArrayLike | None, n: int
) -> NDArray[np.float32] | None:
    """Return the `(n, value_width)` network outputs of the queries; None: nothing is to be re-ranked.

    Raises:
        CodeIndexError: if `rerank` is out of range, the index keeps no values, or these do not fit.
    """
    if rerank is None:
        return None
    check_whole(rerank, "rerank")
    width = state.manifest.value_width
    if not width:
        raise CodeIndexError("this index keeps no values to re-rank by; create it with value_width")
    values = None if given is None else np.atleast_2d(np.asarray(given, np.float32))
    if values is None or values.shape != (n, width):
        raise CodeIndexError(
            f"query_values must be of shape {(n, width)} for re-ranking, but "
            f"{'it is missing' if values is None else f'its shape is {values.shape}'}"
        )
    if not np.isfinite(values).all():
        raise CodeIndexError(
            "query_values must be finite, but some are NaN or infinite; encode the queries again"
        )
    return values


def rerank(
    state: IndexState,
    found: Neighbours,
    query_values: NDArray[np.float32],
    *,
    sides: tuple[Side, ...],
    combine: Combine,
    k: int,
) -> Neighbours:
    """Return the k best of what was found by the cosine of outputs; equal ones by distance, then row."""
    norm = np.linalg.norm(query_values, axis=1, keepdims=True)
    unit = query_values / np.where(norm > 0, norm, 1)
    scores = np.full(found.rows.shape, -np.inf, np.float32)
    for segment, first_row in state:
        query, place = np.nonzero((found.rows >= first_row) & (found.rows < first_row + len(segment)))
        if len(query) == 0:
            continue
        rows = found.rows[query, place] - first_row
        cosine = {side: np.einsum("nd,nd->n", segment.values(side, rows), unit[query]) for side in SIDES}
        scores[query, place] = _combined(cosine, sides, combine)
    return found.reordered(scores, k)


def _combined(
    cosine: dict[Side, NDArray[np.float32]], sides: tuple[Side, ...], combine: Combine
) -> NDArray[np.float32]:
    """One score for each item out of those of its modalities; NaN marks a modality that it has not."""
    image, text = cosine["image"], cosine["text"]
    if combine == "cross":
        first, second = (image, text) if sides == ("image",) else (text, image)
        return np.where(np.isnan(first), second, first)
    if combine == "mean":
        both = (image + text) / 2
        return np.where(np.isnan(both), np.fmax(image, text), both)
    return np.fmax(image, text)
