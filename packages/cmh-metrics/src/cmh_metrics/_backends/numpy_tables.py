"""Ranking tables with numpy alone: exclusive or, popcount, bincount. Needs no compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cmh_metrics._inputs.ranking_inputs import Slab

Words = np.ndarray[Any, np.dtype[np.uint64]]
Table = np.ndarray[Any, np.dtype[np.int64]]
_BLOCK_PAIRS = 1 << 20  # pairs at a time


def distances(query_words: Words, database_words: Words) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the Hamming distances `(n_query, n_database)` of packed rows."""
    result = np.zeros((len(query_words), len(database_words)), np.int64)
    for q, x in zip(query_words.T, database_words.T, strict=True):
        result += np.bitwise_count(q[:, None] ^ x[None, :])
    return result


def relevance(query_labels: Words, database_labels: Words) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return `(n_query, n_database)`: whether the packed label rows share a label."""
    result = np.zeros((len(query_labels), len(database_labels)), np.bool_)
    for q, x in zip(query_labels.T, database_labels.T, strict=True):
        result |= (q[:, None] & x[None, :]) != 0
    return result


def add_tables(
    slab: Slab,
    retrieved: Table,
    relevant: Table,
) -> None:
    """Add the counts of one slab of database rows to the two tables."""
    n_bin = retrieved.shape[1]
    rows = max(1, _BLOCK_PAIRS // len(slab.database_words))
    for start in range(0, len(slab.query_words), rows):
        part = slice(start, start + rows)
        cell = distances(slab.query_words[part], slab.database_words)
        n_query = len(cell)
        cell += relevance(slab.query_labels[part], slab.database_labels) * n_bin
        cell += (np.arange(n_query) * (2 * n_bin))[:, None]
        counts = np.bincount(cell.ravel(), minlength=n_query * 2 * n_bin).reshape(n_query, 2, n_bin)
        retrieved[part] += counts.sum(axis=1)
        relevant[part] += counts[:, 1]
