"""The pairs nearest to each row by the cosine of centred features: of all, or of some groups of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK_BYTES = 2**27  # of features, or of similarities to the heads of groups, held at a time
_TILE = 1024  # rows and columns of similarities made at a time: they stay in the processor's cache

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
    step = max(k, _BLOCK_BYTES // (4 * max(1, centre.size)))
    result, directed = [], np.zeros(len(seeking), np.bool_)
    for begin, rows in _unit_blocks(features, seeking, centre, step):
        has_direction = rows.any(axis=1)
        directed[begin : begin + step] = has_direction
        result.append(_search_all(features, rows[has_direction], pairs, centre=centre, k=k, step=step))
    return pairs[np.concatenate(result)], directed


def _search_all(
    features: Any,
    rows: NDArray[np.float32],
    pairs: NDArray[np.int64],
    *,
    centre: NDArray[np.float64],
    k: int,
    step: int,
) -> NDArray[np.int64]:
    """The k pairs nearest to each row, as places in `pairs`, nearest first and equal ones in order."""
    best = np.full((len(rows), k), -np.inf, np.float32)
    where = np.zeros((len(rows), k), np.int64)
    width = max(_TILE, k)
    tile = np.empty((min(_TILE, len(rows)), min(width, len(pairs))), np.float32)
    for offset, block in _unit_blocks(features, pairs, centre, step):
        for top in range(0, len(rows), _TILE):
            some = slice(top, top + _TILE)
            for left in range(0, len(block), width):
                columns = block[left : left + width]
                similarity = tile[: len(rows[some]), : len(columns)]
                np.matmul(rows[some], columns.T, out=similarity)
                _keep_best(best[some], where[some], similarity, offset + left)
    return where


def _keep_best(
    best: NDArray[np.float32], where: NDArray[np.int64], similarity: NDArray[np.float32], offset: int
) -> None:
    """Put the largest of what was found and of new columns, numbered from `offset`, into `best` and `where`.

    Few columns are sorted: of the first ones those as large as the k-th, then those above what was found.
    """
    k = best.shape[1]
    if offset == 0:
        limit = np.partition(similarity, similarity.shape[1] - k, axis=1)[:, -k]
        row, column = np.nonzero(similarity >= limit[:, None])
        better = np.arange(len(similarity))
        all_row, all_best, all_where = row, similarity[row, column], column
    else:
        better = np.flatnonzero(similarity.max(axis=1) > best[:, -1])
        if len(better) == 0:
            return
        chosen = similarity[better]
        row, column = np.nonzero(chosen > best[better, -1:])
        all_row = np.concatenate([np.repeat(np.arange(len(better)), k), row])
        all_best = np.concatenate([best[better].ravel(), chosen[row, column]])
        all_where = np.concatenate([where[better].ravel(), offset + column])
    order = np.lexsort((all_where, -all_best, all_row))
    first = np.searchsorted(all_row[order], np.arange(len(better)))
    kept = order[first[:, None] + np.arange(k)]
    best[better], where[better] = all_best[kept], all_where[kept]


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
