"""What is suspicious about a data set though not wrong, found at little cost whenever one is loaded.

Tables in memory are looked at whole, except that only training and query rows are compared for repetition and
at most 300 rows enter the test of alignment. Pixels on disk are not read: `inspect` tests their alignment.
"""

from __future__ import annotations

from itertools import chain, combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.alignment import LARGEST_ALIGNED, LEAST_ROWS, alignment_p_value
from cmh_data._dataset.dataset import row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from cmh_data._dataset.dataset import PairedDataset, RowArray, Split


def find_suspicious(dataset: PairedDataset) -> tuple[str, ...]:
    """One sentence for each suspicious thing: empty, constant or repeated rows, and parts that do not fit."""
    tables = {
        name: array
        for name, array in dataset.arrays()
        if isinstance(array, np.ndarray) and 0 not in array.shape
    }
    present = {"image": dataset.image_present, "text": dataset.text_present}
    there = {
        name: table[present[name]] if name in present and not present[name].all() else table
        for name, table in tables.items()
    }
    features = {name: table for name, table in there.items() if name != "label"}
    found = chain(
        _missing(dataset),
        _empty(there),
        _constant(features),
        _repeated({name: tables[name] for name in features}, dataset.split, present),
        unaligned(tables, present),
    )
    return tuple(found)


def unaligned(
    parts: Mapping[str, RowArray], present: Mapping[str, NDArray[np.bool_]] = MappingProxyType({})
) -> Iterator[str]:
    """Name the pairs of parts whose rows agree no better than shuffled ones, where both are there."""
    for (first, first_rows), (second, second_rows) in combinations(parts.items(), 2):
        ours, theirs = first_rows, second_rows
        both = np.ones(ours.shape[0], np.bool_)
        for name in (first, second):
            both = both & present.get(name, both)
        if not both.all():
            ours, theirs = ours[both], theirs[both]
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


def _missing(dataset: PairedDataset) -> Iterator[str]:
    n = len(dataset)
    for name, mask in (("image", dataset.image_present), ("text", dataset.text_present)):
        if not mask.all():
            yield f"{n - int(mask.sum())} of {n} rows have no {name}."
    both = dataset.image_present & dataset.text_present
    incomplete = int((~both[dataset.split.query]).sum())
    if incomplete:
        yield f"{incomplete} of {len(dataset.split.query)} queries lack an image or a text."


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


def _repeated(
    tables: Mapping[str, NDArray[np.generic]], split: Split, present: Mapping[str, NDArray[np.bool_]]
) -> Iterator[str]:
    for name, table in tables.items():
        there = present[name]
        known = {hash(table[row].tobytes()) for row in split.train if there[row]}
        repeated = sum(there[row] and hash(table[row].tobytes()) in known for row in split.query)
        if repeated:
            yield f"{repeated} of {len(split.query)} query rows have the same {name} as a training row."
