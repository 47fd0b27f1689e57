"""Ranking tables with torch operations alone, on any device: matrix products of bits, then bincount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from cmh_metrics._inputs.ranking_inputs import Slab

_BLOCK_PAIRS = 1 << 22  # pairs at a time


def add_tables(
    slab: Slab,
    retrieved: Any,
    relevant: Any,
    *,
    n_label: int,
    device: str,
) -> None:
    """Add the counts of one slab of database rows to the two tables.

    Products of 0 and 1 summed to at most 1024, or to the number of labels, are exact in float32, also where
    the factors are rounded to fewer digits; the sums must not be, as a caller's autocast would.
    """
    with torch.autocast(torch.device(device).type, enabled=False):
        _add(slab, retrieved, relevant, n_label, device)


def _add(slab: Slab, retrieved: Any, relevant: Any, n_label: int, device: str) -> None:
    n_bin = retrieved.shape[1]
    query, database = (
        _bits(slab.query_words, n_bin - 1, device),
        _bits(slab.database_words, n_bin - 1, device),
    )
    query_labels, database_labels = (
        _bits(slab.query_labels, n_label, device),
        _bits(slab.database_labels, n_label, device),
    )
    step = max(1, _BLOCK_PAIRS // len(database))
    for start in range(0, len(query), step):
        part = slice(start, start + step)
        q = query[part]
        distance = q.sum(1, keepdim=True) + database.sum(1) - 2 * (q @ database.T)  # (block, n_database)
        shares_label = (query_labels[part] @ database_labels.T > 0).long()
        row = torch.arange(len(q), device=device)[:, None]
        cell = (2 * row + shares_label) * n_bin + distance.long()
        counts = (
            torch.bincount(cell.flatten(), minlength=2 * len(q) * n_bin).view(len(q), 2, n_bin).cpu().numpy()
        )
        retrieved[part] += counts.sum(axis=1)
        relevant[part] += counts[:, 1]


def _bits(words: Any, n: int, device: str) -> Any:
    """Return packed rows as `(rows, n)` float32 of 0 and 1 on the device."""
    packed = torch.from_numpy(np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)).to(device)
    bits = packed[:, :, None] >> torch.arange(8, device=device, dtype=torch.uint8) & 1  # (rows, bytes, 8)
    return bits.flatten(1)[:, :n].float()
