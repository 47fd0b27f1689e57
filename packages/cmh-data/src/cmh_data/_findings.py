"""What is suspicious about a data set though not wrong, found at little cost whenever one is loaded.

Tables in memory are looked at whole, except that only training and query rows are compared for repetition and
at most 300 rows enter the test of alignment. Pixels on disk are not read: `inspect` tests their alignment.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._alignment import LARGEST_ALIGNED, LEAST_ROWS, alignment_p_value
from cmh_data._dataset import row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cmh_data._dataset import PairedDataset, RowArray, Split


def find_suspicious(dataset: PairedDataset) -> tuple[str, ...]:
    """One sentence for each suspicious thing: empty, constant or repeated rows, and parts that do not fit."""
    tables = {name: array for name, array in dataset.arrays() if isinstance(array, np.ndarray)}
    found = chain(
        _empty(tables),
        _constant({name: array for name, array in tables.items() if name != "label"}),
        _repeated({name: array for name, array in tables.items() if name != "label"}, dataset.split),
        unaligned(tables),
    )
    return tuple(found)


def unaligned(parts: Mapping[str, RowArray]) -> Iterator[str]:
    """Name the pairs of parts whose rows agree no better than shuffled ones."""
    for (first, ours), (second, theirs) in combinations(parts.items(), 2):
        if ours.shape[0] < LEAST_ROWS:
            continue
        p_value = alignment_p_value(ours, theirs)
        if p_value > LARGEST_ALIGNED:
            yield not_aligned(first, second, p_value)


def not_aligned(first: str, second: str, p_value: float) -> str:
    """The sentence about two parts whose rows do not fit."""
    return (
        f"{first} and {second} agree no better than shuffled rows do (p = {p_value:.3f}): "
        "their rows may be in different orders."
    )


def _empty(tables: Mapping[str, NDArray[np.generic]]) -> Iterator[str]:
    for name, table in tables.items():
        empty = sum(
            len(block) - int(block.reshape(len(block), -1).any(axis=1).sum()) for block in row_blocks(table)
        )
        if empty:
            yield (
                f"{empty} of {len(table)} rows have no label."
                if name == "label"
                else (f"{empty} of {len(table)} {name} rows are all zero.")
            )


def _constant(tables: Mapping[str, NDArray[np.generic]]) -> Iterator[str]:
    for name, table in tables.items():
        flat = table.reshape(len(table), -1)
        columns = np.arange(flat.shape[1])
        for block in row_blocks(flat):
            columns = columns[(block[:, columns] == flat[0, columns]).all(axis=0)]
            if not len(columns):
                break
        if len(columns):
            yield f"{len(columns)} of {flat.shape[1]} {name} columns have the same value in every row."


def _repeated(tables: Mapping[str, NDArray[np.generic]], split: Split) -> Iterator[str]:
    for name, table in tables.items():
        known = {hash(table[row].tobytes()) for row in split.train}
        repeated = sum(hash(table[row].tobytes()) in known for row in split.query)
        if repeated:
            yield f"{repeated} of {len(split.query)} query rows have the same {name} as a training row."
