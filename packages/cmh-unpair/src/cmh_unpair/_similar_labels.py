"""The most similar label vectors among many distinct ones.

For one vector of c labels the order of cosines with others is that of shared^2 / labels of the other. Both
are whole numbers and division rounds correctly, so equal cosines compare as equal.

A vector that differs in h labels scores at most c^2 / (c + h), which is reached where all h are added. So the
vectors that differ in one label are looked up, then those that differ in two, until nothing further away can
be as good; what that leaves open is compared with every vector.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILE, _TILE_ROWS = 4096, 64  # of label vectors that are compared at once, in the processor's cache
_MOST_LOOKUPS = 5000  # of a vector at one distance; a comparison costs about as much as ten
_KEY_LABELS = 64

Matches = tuple["NDArray[np.int64]", "NDArray[np.int64]"]  # places in what was asked for, groups


def vector_keys(vectors: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a key of each label vector; their order is that of the vectors, first label first.

    Args:
        vectors: `(n, n_label)` bool.

    Returns:
        `(n,)` uint64 up to 64 labels, bytes above.
    """
    packed = np.packbits(vectors, axis=1)
    if vectors.shape[1] > _KEY_LABELS:
        return packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    whole = np.zeros((len(packed), 8), np.uint8)
    whole[:, : packed.shape[1]] = packed
    return whole.view(">u8").ravel().astype(np.uint64)


def most_similar(
    vectors: NDArray[np.bool_], asked: NDArray[np.int64], has_rows: NDArray[np.bool_]
) -> Matches:
    """Find the groups with rows whose cosine with each asked one is largest and above 0.

    Args:
        vectors: `(n_group, n_label)` bool, distinct, in the order of their keys.
        asked: `(n_asked,)` int64 groups, rising.
        has_rows: `(n_group,)` bool, groups that can be found.

    Returns:
        `(n_match,)` int64 places in `asked`, rising, and as many groups, rising for each place.
    """
    exact = has_rows[asked] & vectors[asked].any(axis=1)
    rest = np.flatnonzero(~exact & vectors[asked].any(axis=1))
    candidates = np.flatnonzero(has_rows)
    found = [(np.flatnonzero(exact), asked[exact])]
    if vectors.shape[1] <= _KEY_LABELS and len(candidates) > 10 * vectors.shape[1]:
        nearby, rest = _nearby(vectors, asked, rest, candidates)
        found.append(nearby)
    found.append(_compare_all(vectors, asked, rest, candidates))
    place, group = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((group, place))
    return place[order], group[order]


def _nearby(
    vectors: NDArray[np.bool_],
    asked: NDArray[np.int64],
    rest: NDArray[np.int64],
    candidates: NDArray[np.int64],
) -> tuple[Matches, NDArray[np.int64]]:
    """Look up vectors that differ in few labels; also the places for which that does not decide."""
    n_label = vectors.shape[1]
    keys = vector_keys(vectors[candidates])
    wanted = vector_keys(vectors[asked[rest]])
    size = vectors[asked[rest]].sum(axis=1)
    bits = np.uint64(1) << (np.uint64(63) - np.arange(n_label, dtype=np.uint64))
    best = np.zeros(len(rest))
    hits: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    open_ = np.arange(len(rest))  # of `rest`
    distance = 0
    most = min(_MOST_LOOKUPS, 10 * len(candidates))
    while len(open_) and distance < n_label and comb(n_label, distance + 1) <= most:
        distance += 1
        for flipped in combinations(bits, distance):
            other = wanted[open_] ^ np.bitwise_or.reduce(flipped)
            at = np.minimum(np.searchsorted(keys, other), len(keys) - 1)
            hit = np.flatnonzero(keys[at] == other)
            who = open_[hit]
            removed = sum(((wanted[who] & bit) != 0).astype(np.int64) for bit in flipped)
            shared = size[who] - removed
            score = shared**2 / np.maximum(1, shared + distance - removed)
            good = (shared > 0) & (score >= best[who])
            who = who[good]
            best[who] = score[good]
            hits.append((who, at[hit[good]], score[good]))
        decided = best[open_] > size[open_] ** 2 / (size[open_] + distance + 1)
        open_ = open_[~decided]
    is_open = np.zeros(len(rest), np.bool_)
    is_open[open_] = True
    kept = []
    for who, at, score in hits:
        final = (score == best[who]) & ~is_open[who]
        kept.append((rest[who[final]], candidates[at[final]]))
    kept.append((np.empty(0, np.int64), np.empty(0, np.int64)))
    place, group = (np.concatenate(part) for part in zip(*kept, strict=True))
    return (place, group), rest[open_]


def _compare_all(
    vectors: NDArray[np.bool_],
    asked: NDArray[np.int64],
    rest: NDArray[np.int64],
    candidates: NDArray[np.int64],
) -> Matches:
    """Compare with every vector. float32 tells all cosines apart up to 128 labels in a row."""
    places, groups = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    most = vectors[asked].sum(axis=1).max(initial=0), vectors[candidates].sum(axis=1).max(initial=0)
    if not len(rest) or not len(candidates):
        return places[0], groups[0]
    dtype = np.float32 if max(most) <= 128 else np.float64
    table = vectors[candidates].astype(dtype).T  # (n_label, n_candidate)
    size = np.maximum(1, table.sum(axis=0))
    tiles = [slice(begin, begin + _TILE) for begin in range(0, len(candidates), _TILE)]

    def score(rows: NDArray[Any], tile: slice) -> NDArray[Any]:
        shared: NDArray[Any] = rows @ table[:, tile]  # whole numbers
        np.square(shared, out=shared)
        shared /= size[tile]
        return shared

    for begin in range(0, len(rest), _TILE_ROWS):
        block = rest[begin : begin + _TILE_ROWS]
        rows = vectors[asked[block]].astype(dtype)
        best_of_tile = np.stack([score(rows, tile).max(axis=1) for tile in tiles])
        best = best_of_tile.max(axis=0)
        best[best == 0] = -1  # no shared label, no donor
        for tile, tile_best in zip(tiles, best_of_tile, strict=True):
            chosen = np.flatnonzero(tile_best == best)
            place, candidate = np.nonzero(score(rows[chosen], tile) == best[chosen, None])
            places.append(block[chosen[place]])
            groups.append(candidates[tile][candidate])
    return np.concatenate(places), np.concatenate(groups)
