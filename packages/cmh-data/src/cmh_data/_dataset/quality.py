"""What is suspicious about a data set though not wrong, found at little cost whenever one is loaded.

Tables in memory are looked at whole, except that only training and query rows are compared for repetition and
at most 300 rows enter the test of alignment. Pixels on disk are not read: `inspect` tests their alignment.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from cmh_data._dataset.alignment import LARGEST_ALIGNED, LEAST_ROWS, ROWS, alignment_p_value
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
        without_relevant(dataset.label, dataset.split),
        unaligned(tables, present),
    )
    return tuple(found)


def unaligned(parts: Mapping[str, RowArray], present: Mapping[str, NDArray[np.bool_]]) -> Iterator[str]:
    """Name the pairs of parts whose rows agree no better than shuffled ones, where both are there."""
    for first, second, p_value in alignments(parts, present):
        if p_value > LARGEST_ALIGNED:
            yield not_aligned(first, second, p_value)


def alignments(
    parts: Mapping[str, RowArray], present: Mapping[str, NDArray[np.bool_]]
) -> Iterator[tuple[str, str, float]]:
    """Test each pair of parts on the rows where both are there, if these are enough to show something."""
    for (first, ours), (second, theirs) in combinations(parts.items(), 2):
        masks = [present[name] for name in (first, second) if name in present]
        rows = np.flatnonzero(np.logical_and.reduce(masks)) if masks else np.arange(ours.shape[0])
        if len(rows) < LEAST_ROWS:
            continue
        if len(rows) == ours.shape[0]:
            yield first, second, alignment_p_value(ours, theirs)
            continue
        if not all(isinstance(part, np.ndarray) for part in (ours, theirs)):
            rows = rows[:: -(-len(rows) // ROWS)]  # of rows on disk no more than the test takes
        yield first, second, alignment_p_value(ours[rows], theirs[rows])


def not_aligned(first: str, second: str, p_value: float) -> str:
    """The sentence about two parts whose rows do not fit."""
    return (
        f"{first} and {second} agree no better than shuffled rows do (p = {p_value:.3f}): "
        "their rows may be in different orders."
    )


def count_empty(table: NDArray[np.generic]) -> int:
    """Count the rows that are all zero."""
    return sum(
        len(block) - int(block.reshape(len(block), -1).any(axis=1).sum()) for block in row_blocks(table)
    )


def count_constant(table: NDArray[np.generic]) -> int:
    """Count the columns with the same value in every row."""
    if not len(table):
        return 0
    flat = table.reshape(len(table), -1)
    columns = np.arange(flat.shape[1])
    for block in row_blocks(flat):
        columns = columns[(block[:, columns] == flat[0, columns]).all(axis=0)]
        if not len(columns):
            break
    return len(columns)


def count_repeated(table: NDArray[np.generic], split: Split, present: NDArray[np.bool_]) -> int:
    """Count the query rows whose values also stand in a training row, where both are there."""
    known = {hash(table[row].tobytes()) for row in split.train if present[row]}
    return sum(bool(present[row]) and hash(table[row].tobytes()) in known for row in split.query)


def without_relevant(labels: NDArray[np.uint8], split: Split) -> Iterator[str]:
    """Say how many queries have a label that no row of the retrieval set has, and none that one has."""
    queries = labels[split.query]
    found = labels[split.retrieval].any(axis=0)
    alone = int((queries.any(axis=1) & ~queries[:, found].any(axis=1)).sum())
    if alone:
        yield (
            f"{alone} of {len(queries)} queries share no label with the retrieval set: "
            "nothing is relevant to them, and their average precision is 0."
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
        empty = count_empty(table)
        if empty:
            what = "rows have no label" if name == "label" else f"{name} rows are all zero"
            yield f"{empty} of {len(table)} {what}."


def _constant(tables: Mapping[str, NDArray[np.generic]]) -> Iterator[str]:
    for name, table in tables.items():
        constant = count_constant(table)
        if constant:
            width = int(np.prod(table.shape[1:]))
            yield f"{constant} of {width} {name} columns have the same value in every row."


def _repeated(
    tables: Mapping[str, NDArray[np.generic]], split: Split, present: Mapping[str, NDArray[np.bool_]]
) -> Iterator[str]:
    for name, table in tables.items():
        repeated = count_repeated(table, split, present[name])
        if repeated:
            yield f"{repeated} of {len(split.query)} query rows have the same {name} as a training row."
