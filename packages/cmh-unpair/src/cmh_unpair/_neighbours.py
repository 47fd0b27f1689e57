"""The pairs nearest to each row by the cosine of centred features: of all, or of some groups of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK_BYTES = 2**27  # of similarities, and of features, held at a time
_FIRST_COLUMNS = 1024  # sorted whole; later columns only where they beat what was found so far

Found = tuple["NDArray[np.int64]", "NDArray[np.bool_]"]


def nearest_pairs(
    features: Any, seeking: NDArray[np.int64], pairs: NDArray[np.int64], centre: NDArray[np.float64], k: int
) -> Found:
    """Find the k pairs nearest to each row, equal ones by row.

    Args:
        features: `(n, ...)` of one modality, any real dtype.
        seeking: `(n_seeking,)` int64 rows, rising.
        pairs: `(n_pair,)` int64 rows, rising.
        centre: `(d,)` float64, subtracted from every row.
        k: at most `n_pair`.

    Returns:
        `(n_directed, k)` int64 rows, nearest first; `(n_seeking,)` bool, rows that differ from the centre.
    """
    step = max(1, _BLOCK_BYTES // (4 * max(1, centre.size)))
    width = max(_FIRST_COLUMNS, min(step, len(pairs)))
    height = max(1, _BLOCK_BYTES // (4 * width))
    held = list(_unit_blocks(features, pairs, centre, width)) if len(pairs) <= 8 * step else None
    result, directed = [], np.zeros(len(seeking), np.bool_)
    for begin in range(0, len(seeking), height):
        rows = _unit_rows(features, seeking[begin : begin + height], centre)
        directed[begin : begin + height] = rows.any(axis=1)
        rows = rows[directed[begin : begin + height]]
        best = np.full((len(rows), 0), -np.inf, np.float32)
        where = np.zeros((len(rows), 0), np.int64)
        for offset, block in held or _unit_blocks(features, pairs, centre, width):
            best, where = _merge(best, where, rows @ block.T, offset, k)
        result.append(pairs[where])
    return np.concatenate(result), directed


def nearest_of_groups(
    features: Any,
    seeking: NDArray[np.int64],
    pairs: NDArray[np.int64],
    centre: NDArray[np.float64],
    k: int,
    *,
    probes: int,
) -> Found:
    """Find near pairs in few comparisons: a row is compared with the pairs of the nearest groups only.

    Pairs are grouped around sqrt(n_pair) of them, picked at random (the same ones every time). A row whose
    groups hold fewer than k pairs is compared with all.

    Args:
        features: as in `nearest_pairs`, also the next four.
        seeking: rows.
        pairs: rows.
        centre: subtracted from every row.
        k: at most `n_pair`.
        probes: groups that a row is compared with, `>= 1`.

    Returns:
        As `nearest_pairs`; the pairs need not be the nearest.
    """
    n_group = max(1, round(len(pairs) ** 0.5))
    chosen = np.sort(np.random.default_rng(0).choice(len(pairs), n_group, replace=False))
    heads = _unit_rows(features, pairs[chosen], centre)  # (n_group, d)
    probes = min(probes, n_group)
    step = max(1, _BLOCK_BYTES // (4 * max(n_group, centre.size)))
    group = np.concatenate([
        (block @ heads.T).argmax(axis=1) for _, block in _unit_blocks(features, pairs, centre, step)
    ])  # fmt: skip
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(n_group + 1))
    members = [pairs[order[start[g] : start[g + 1]]] for g in range(n_group)]  # rising

    found, directed = [], np.zeros(len(seeking), np.bool_)
    for begin, rows in _unit_blocks(features, seeking, centre, step):
        has_direction = rows.any(axis=1)
        directed[begin : begin + step] = has_direction
        found.append(
            _search_groups(features, rows[has_direction], members, heads, centre=centre, k=k, probes=probes)
        )
    where = np.concatenate(found)
    short = np.flatnonzero(where[:, -1] < 0)
    if len(short):
        where[short], _ = nearest_pairs(features, seeking[directed][short], pairs, centre, k)
    return where, directed


def _search_groups(
    features: Any,
    rows: NDArray[np.float32],
    members: list[NDArray[np.int64]],
    heads: NDArray[np.float32],
    *,
    centre: NDArray[np.float64],
    k: int,
    probes: int,
) -> NDArray[np.int64]:
    """The k pairs nearest to each row among those of its groups; -1 last where there are fewer."""
    asked = np.argpartition(-(rows @ heads.T), probes - 1, axis=1)[:, :probes].ravel()
    order = np.argsort(asked, kind="stable")
    start = np.searchsorted(asked[order], np.arange(len(members) + 1))
    best = np.full((len(rows), k), -np.inf, np.float32)
    where = np.full((len(rows), k), -1, np.int64)
    for g, pairs in enumerate(members):
        who = order[start[g] : start[g + 1]] // probes
        if not len(who) or not len(pairs):
            continue
        block = _unit_rows(features, pairs, centre)
        height = max(1, _BLOCK_BYTES // (4 * len(pairs)))
        for begin in range(0, len(who), height):
            some = who[begin : begin + height]
            similarity = np.concatenate([best[some], rows[some] @ block.T], axis=1)
            top = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
            best[some] = np.take_along_axis(similarity, top, axis=1)
            old = np.take_along_axis(where[some], np.minimum(top, k - 1), axis=1)
            where[some] = np.where(top < k, old, pairs[np.maximum(top - k, 0)])
    order = np.lexsort((where, -best), axis=1)
    return np.take_along_axis(where, order, axis=1)


def mean_row(features: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    size = max(1, int(np.prod(features.shape[1:])))
    step = max(1, _BLOCK_BYTES // (8 * size))
    total = np.zeros(size)
    for begin in range(0, len(rows), step):
        total += _read(features, rows[begin : begin + step]).sum(axis=0)
    return total / len(rows)


def _read(features: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Some rows as `(n, d)` float64, of an array, a sparse matrix, a torch tensor or a lazy array."""
    block = features[rows]
    dense = block.toarray() if hasattr(block, "toarray") else np.asarray(block)
    return dense.reshape(len(rows), -1).astype(np.float64)


def _merge(
    best: NDArray[np.float32], where: NDArray[np.int64], similarity: NDArray[np.float32], offset: int, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k largest of what was found and of new columns, which are numbered from `offset`."""
    head = 0
    if best.shape[1] < k:  # the first columns are sorted whole
        head = min(similarity.shape[1], _FIRST_COLUMNS)
        columns = np.broadcast_to(np.arange(offset, offset + head), (len(similarity), head))
        best = np.concatenate([best, similarity[:, :head]], axis=1)
        where = np.concatenate([where, columns], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :k]
        best, where = np.take_along_axis(best, order, axis=1), np.take_along_axis(where, order, axis=1)
    row, column = np.nonzero(similarity[:, head:] > best[:, -1:])
    if len(row) == 0:
        return best, where
    better = np.unique(row)
    all_row = np.concatenate([np.repeat(better, best.shape[1]), row])
    all_best = np.concatenate([best[better].ravel(), similarity[row, head + column]])
    all_where = np.concatenate([where[better].ravel(), offset + head + column])
    order = np.lexsort((all_where, -all_best, all_row))
    first = np.searchsorted(all_row[order], better)
    chosen = order[first[:, None] + np.arange(k)]
    best[better], where[better] = all_best[chosen], all_where[chosen]
    return best, where


def _unit_blocks(
    features: Any, rows: NDArray[np.int64], centre: NDArray[np.float64], width: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for begin in range(0, len(rows), width):
        yield begin, _unit_rows(features, rows[begin : begin + width], centre)


def _unit_rows(features: Any, rows: NDArray[np.int64], centre: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows less the centre, each of length 1, or all zero where it is the centre."""
    values = _read(features, rows) - centre
    norm = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    return unit.astype(np.float32)
