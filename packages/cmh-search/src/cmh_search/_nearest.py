"""Distances of queries to a segment, all of them or the smallest, over the groups of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from cmh_metrics import hamming_distances, hamming_topk

from cmh_search._combine import sides_of
from cmh_search._results import Neighbours
from cmh_search._segment import GROUPS, SIDES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cmh_metrics import PackedCodes
    from numpy.typing import NDArray

    from cmh_search._combine import Combine
    from cmh_search._segment import Group, Segment, Side

GATHERED_SHARE = 0.2  # where fewer items of a group may be found, their codes are taken out first
DENSE_ENTRIES = 2**22  # distances held at a time where all are calculated


def all_distances(
    segment: Segment,
    queries: PackedCodes,
    *,
    sides: tuple[Side, ...],
    combine: Combine,
    means: Mapping[Side, NDArray[np.float32]] | None,
    mask: NDArray[np.bool_] | None,
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield pieces of the rows in order: first row, `(n_query, n)` distances, `(n,)` which may be found."""
    step = max(1, DENSE_ENTRIES // len(queries))
    for start in range(0, len(segment), step):
        stop = min(start + step, len(segment))
        block = np.full((len(queries), stop - start), np.inf, np.float32)
        for group in GROUPS:
            rows = segment.rows[group]
            piece = slice(*np.searchsorted(rows, (start, stop)))
            if piece.start < piece.stop:
                distances = _group_distances(segment, queries, group, piece, sides=sides, combine=combine)
                block[:, rows[piece] - start] = _centred(distances, group, means)
        yield start, block, np.ones(stop - start, bool) if mask is None else mask[start:stop]


def _centred(
    distances: NDArray[np.float32], group: Group, means: Mapping[Side, NDArray[np.float32]] | None
) -> NDArray[np.float32]:
    """Distances to a group less each query's mean distance to the modalities that it has, if it is given."""
    if means is None:
        return distances
    parts = np.stack([means[side] for side in sides_of(group, SIDES)])
    centre: NDArray[np.float32] = parts.mean(axis=0)[:, None]
    return distances - centre


def _group_distances(
    segment: Segment,
    queries: PackedCodes,
    group: Group,
    piece: slice,
    *,
    sides: tuple[Side, ...],
    combine: Combine,
) -> NDArray[np.float32]:
    """Distances of every query to a piece of a group, `(n_query, n)`."""
    parts = [
        hamming_distances(query_codes=queries, database_codes=segment.codes(side, group)[piece])
        for side in sides_of(group, sides)
    ]
    if len(parts) == 1:
        return parts[0].astype(np.float32)
    combined = np.minimum(*parts) if combine == "nearest" else (parts[0] + parts[1]) / 2
    return combined.astype(np.float32)


def nearest(
    segment: Segment,
    queries: PackedCodes,
    k: int,
    *,
    sides: tuple[Side, ...],
    combine: Combine,
    means: Mapping[Side, NDArray[np.float32]] | None,
    mask: NDArray[np.bool_] | None,
    threads: int | None,
) -> Iterator[Neighbours]:
    """Yield the k nearest items of each group of a segment, as local rows; an item may come twice.

    A mean distance that is taken off is the same for all items of a group, so their order stays.
    """
    for group in GROUPS:
        rows = segment.rows[group]
        if len(rows) == 0:
            continue
        may = None if mask is None else mask[rows]
        if may is not None and not may.any():
            continue
        if group == "both" and combine in {"mean", "centred"}:
            for found in _nearest_by_mean(segment, queries, k, rows, may):
                yield Neighbours(_centred(found.distances, group, means), found.rows)
            continue
        for side in sides_of(group, sides):
            found = _top(segment.codes(side, group), rows, queries, k=k, may=may, threads=threads)
            yield Neighbours(_centred(found.distances, group, means), found.rows)


def _top(
    codes: PackedCodes,
    rows: NDArray[np.int64],
    queries: PackedCodes,
    *,
    k: int,
    may: NDArray[np.bool_] | None,
    threads: int | None,
) -> Neighbours:
    """The k nearest allowed rows of one array of codes."""
    if may is not None:
        count = int(may.sum())
        if count < GATHERED_SHARE * len(may):
            chosen = np.flatnonzero(may)
            codes, rows, may = codes[chosen], rows[chosen], None
        elif count == len(may):
            may = None
    fetched = k
    while True:
        fetched = min(fetched, len(rows))
        distances, places = hamming_topk(
            query_codes=queries, database_codes=codes, k=fetched, threads=threads
        )
        if may is None:
            return Neighbours(distances.astype(np.float32), rows[places])
        inside = may[places]
        if fetched == len(rows) or (inside.sum(axis=1) >= k).all():
            kept = np.where(inside, distances, np.inf).astype(np.float32)
            return Neighbours(kept, np.where(inside, rows[places], -1)).best(k)
        fetched *= 4


def _nearest_by_mean(
    segment: Segment, queries: PackedCodes, k: int, rows: NDArray[np.int64], may: NDArray[np.bool_] | None
) -> Iterator[Neighbours]:
    """The k nearest items with two codes by the mean of both distances, a piece of the rows at a time."""
    step = max(1, DENSE_ENTRIES // len(queries))
    for start in range(0, len(rows), step):
        piece = slice(start, start + step)
        distances = _group_distances(segment, queries, "both", piece, sides=SIDES, combine="mean")
        found = np.broadcast_to(rows[piece], distances.shape)
        if may is not None:
            distances[:, ~may[piece]] = np.inf
            found = np.where(may[piece], found, -1)
        yield Neighbours(distances, found).best(k)
