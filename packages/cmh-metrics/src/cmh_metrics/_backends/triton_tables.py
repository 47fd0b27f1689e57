"""Ranking tables with a Triton kernel for CUDA devices.

One program takes one query and a range of database items: exclusive or and popcount of 32-bit words, one
histogram over (relevant, distance) per tile, kept in registers over the tiles, and one atomic addition per
bin at the end. Runs on a CPU under `TRITON_INTERPRET=1`, for its numbers; its speed has not been measured on
any GPU yet.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from cmh_metrics._inputs.ranking_inputs import Slab

TILE = 1024  # database items per tile
TILES = 16  # tiles per program


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _histogram_kernel(  # type: ignore[no-untyped-def] # noqa: ANN202, PLR0917 - the language reads it
    query_words,  # noqa: ANN001
    database_words,  # noqa: ANN001
    query_labels,  # noqa: ANN001
    database_labels,  # noqa: ANN001
    counts,  # noqa: ANN001
    n_database,  # noqa: ANN001
    n_word: tl.constexpr,
    n_label_word: tl.constexpr,
    half: tl.constexpr,
    tile: tl.constexpr,
    tiles: tl.constexpr,
):
    """Add to `counts[query]`: distances of irrelevant items in the lower half, of relevant in the upper."""
    query = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1).to(tl.int64) * tile * tiles
    total = tl.zeros([2 * half], tl.int32)
    for step in range(tiles):
        item = first + step * tile + tl.arange(0, tile)
        inside = item < n_database
        distance = tl.zeros([tile], tl.int32)
        for word in range(n_word):
            x = tl.load(database_words + word * n_database + item, mask=inside, other=0)
            x = x ^ tl.load(query_words + query * n_word + word)
            # count ones pairwise, then by four, by eight, and add the bytes with one product
            x = x - ((x >> 1) & 0x55555555)
            x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
            x = (x + (x >> 4)) & 0x0F0F0F0F
            distance += ((x * 0x01010101) >> 24) & 0xFF
        shared = tl.zeros([tile], tl.int32)
        for word in range(n_label_word):
            x = tl.load(database_labels + word * n_database + item, mask=inside, other=0)
            shared |= x & tl.load(query_labels + query * n_label_word + word)
        # places beyond the database go to the last bin of the lower half, which no distance reaches
        cell = tl.where(inside, tl.where(shared != 0, half, 0) + distance, half - 1)
        total += tl.histogram(cell, 2 * half)
    cells = tl.arange(0, 2 * half)
    tl.atomic_add(counts + query * 2 * half + cells, total.to(tl.int64))


INTERPRETED = not isinstance(_histogram_kernel, triton.JITFunction)  # decided above, once and for all


def add_tables(
    slab: Slab,
    retrieved: Any,
    relevant: Any,
    *,
    device: str,
) -> None:
    """Add the counts of one slab of database rows to the two tables."""
    n_bin = retrieved.shape[1]
    half = 1 << n_bin.bit_length()  # more than n_bin: the last bin stays free
    query, database = _words(slab.query_words, device), _words(slab.database_words, device).T.contiguous()
    query_label_words, database_label_words = (
        _words(slab.query_labels, device),
        _words(slab.database_labels, device).T.contiguous(),
    )
    n_database = len(slab.database_words)
    counts = torch.zeros((len(query), 2 * half), dtype=torch.int64, device=device)
    tile, tiles = (TILE, TILES) if n_database >= TILE else (64, TILE // 64)
    with torch.cuda.device(device) if counts.is_cuda else nullcontext():  # programs run on the current one
        _histogram_kernel[(len(query), triton.cdiv(n_database, tile * tiles))](
            query,
            database,
            query_label_words,
            database_label_words,
            counts,
            n_database,
            n_word=query.shape[1],
            n_label_word=query_label_words.shape[1],
            half=half,
            tile=tile,
            tiles=tiles,
        )
    table = counts.view(len(query), 2, half)[:, :, :n_bin].cpu().numpy()
    retrieved += table.sum(axis=1)
    relevant += table[:, 1]


def _words(words: Any, device: str) -> Any:
    """Return packed rows as `(rows, words)` int32 on the device."""
    return torch.from_numpy(np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.int32)).to(device)
