"""Which items a search may find: live ones, by label, by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmh_search._errors import CodeIndexError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cmh_search._state import IndexState


def allowed_rows(
    state: IndexState,
    *,
    labels: Iterable[str] | None = None,
    ids: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
) -> list[NDArray[np.bool_] | None]:
    """Return for each segment which of its rows may be found; None: all of them.

    Raises:
        CodeIndexError: if a label or an id is unknown.
    """
    masks = [None if segment.deleted is None else ~segment.deleted for segment in state.segments]
    if labels is not None:
        wanted = _label_bits(state.manifest.label_names, labels)
        masks = [
            _both(mask, (segment.labels & wanted).any(axis=1))
            for segment, mask in zip(state.segments, masks, strict=True)
        ]
    for names, keep in ((ids, True), (exclude, False)):
        if names is None:
            continue
        rows = np.array(state.rows_of([names] if isinstance(names, str) else list(names)), np.int64)
        for number, (segment, first_row) in enumerate(state):
            local = rows - first_row
            named = np.zeros(len(segment), bool)
            named[local[(local >= 0) & (local < len(segment))]] = True
            if keep or named.any():
                masks[number] = _both(masks[number], named if keep else ~named)
    return masks


def _label_bits(label_names: Sequence[str], labels: Iterable[str]) -> NDArray[np.uint8]:
    names = [labels] if isinstance(labels, str) else list(labels)
    unknown = [name for name in names if name not in label_names]
    if unknown:
        known = ", ".join(label_names[:20]) or "none"
        raise CodeIndexError(f"there is no label {unknown[0]!r} in this index; it has {known}")
    return np.packbits(np.isin(label_names, names))


def _both(mask: NDArray[np.bool_] | None, other: Any) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = other if mask is None else mask & other
    return both
