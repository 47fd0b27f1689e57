"""What a person wants to see: a few queries and what each training cell's codes bring up for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cmh_data
import numpy as np
from cmh_metrics import hamming_topk

from umml_cli.errors import UserError
from umml_cli.runs.run_codes import RunCodes
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_data import PairedDataset
    from numpy.typing import NDArray

    from umml_cli.runs.cells import Cell
    from umml_cli.runs.store import RunFolder

N_QUERIES = 12
N_SHOWN = 8
N_WORDS = 5


@dataclass(frozen=True)
class Item:
    """One row of the data set as the report shows it: a picture (or its id) and the words of its text."""

    row: int
    name: str
    words: str
    labels: str


@dataclass(frozen=True)
class Answer:
    """A retrieved item: its Hamming distance in bits, and whether it shares a label with the query."""

    item: Item
    distance: int
    right: bool


@dataclass(frozen=True)
class Retrieval:
    """One query and the first answers to it."""

    query: Item
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Gallery:
    """Retrievals of every shown cell in both directions, and the pictures of the items that occur in them.

    Args:
        retrievals: cell to task ("i2t", "t2i") to retrievals, the same queries everywhere.
        pictures: row of the data set to a PNG as a data address.
    """

    retrievals: Mapping[Cell, Mapping[str, Sequence[Retrieval]]]
    pictures: Mapping[int, str]


def choose_queries(labels: NDArray[np.uint8], n_queries: int) -> NDArray[np.int64]:
    """Positions of queries that spread over the labels: the first of each label, then the second, and so on.

    Args:
        labels: `(n_query, n_label)` of the query rows.
        n_queries: how many to choose; fewer when there are fewer.
    """
    turns = (
        np.cumsum(labels, axis=0, dtype=np.int64) * labels
    )  # (n_query, n_label): how many of its label came before, and itself
    turn = np.where(labels > 0, turns, np.iinfo(np.int64).max).min(axis=1)  # (n_query,)
    first_label = labels.argmax(axis=1)
    return np.lexsort((first_label, turn))[:n_queries].astype(np.int64)


def make_gallery(dataset: PairedDataset, folders: Mapping[Cell, RunFolder]) -> Gallery:
    """Look the same queries up in the codes of several runs on one data set."""
    retrievals = {cell: look_up(dataset, RunCodes.load(folder.codes)) for cell, folder in folders.items()}
    rows = {
        item.row
        for tasks in retrievals.values()
        for retrieved in tasks.values()
        for one in retrieved
        for item in (one.query, *(answer.item for answer in one.answers))
    }
    return Gallery(retrievals, _pictures(dataset, sorted(rows)))


def look_up(
    dataset: PairedDataset, codes: RunCodes, *, n_queries: int = N_QUERIES, n_shown: int = N_SHOWN
) -> dict[str, list[Retrieval]]:
    """The first answers to a few queries in both directions, by Hamming distance."""
    asks = np.flatnonzero(codes.query_image_present & codes.query_text_present)
    chosen = asks[choose_queries(codes.query_labels[asks], n_queries)]
    rows = np.concatenate([codes.query_rows, codes.retrieval_rows])
    if rows.max() >= len(dataset.label):
        raise UserError(
            f"The codes of a run on {dataset.name} name row {rows.max()}, but the data have "
            f"{len(dataset.label)} rows; remove the run's folder and train again."
        )
    found: dict[str, list[Retrieval]] = {}
    for task in TASKS:
        query_codes, database_codes = codes.task_codes(task)
        distances, indices = hamming_topk(
            query_codes=query_codes[chosen],
            database_codes=database_codes,
            k=min(n_shown, len(codes.retrieval_rows)),
        )
        relevant = (codes.query_labels[chosen][:, None] & codes.retrieval_labels[indices]).any(
            axis=2
        )  # (query, k)
        found[task] = [
            Retrieval(
                describe(dataset, int(codes.query_rows[query])),
                [
                    Answer(describe(dataset, int(codes.retrieval_rows[row])), int(distance), bool(right))
                    for row, distance, right in zip(indices[i], distances[i], relevant[i], strict=True)
                ],
            )
            for i, query in enumerate(chosen)
        ]
    return found


@lru_cache(maxsize=4096)
def describe(dataset: PairedDataset, row: int) -> Item:
    """What the report says of a row: its id, the heaviest words of its text, its labels."""
    text = np.asarray(dataset.text[row], dtype=np.float64)
    heaviest = [column for column in np.argsort(-text, kind="stable")[:N_WORDS] if text[column] > 0]
    labels = np.flatnonzero(dataset.label[row])
    return Item(
        row=row,
        name=dataset.ids[row] if dataset.ids else f"row {row}",
        words=", ".join(dataset.text_vocabulary[column] for column in heaviest)
        if dataset.text_vocabulary
        else "",
        labels=", ".join(
            dataset.label_names[label] if dataset.label_names else f"label {label}" for label in labels
        ),
    )


def _pictures(dataset: PairedDataset, rows: Sequence[int]) -> dict[int, str]:
    if dataset.name != cmh_data.sample().name or not dataset.ids:
        return {}
    pictures = cmh_data.sample_pictures()
    return {
        row: "data:image/png;base64," + base64.b64encode(pictures[dataset.ids[row]]).decode()
        for row in rows
        if dataset.ids[row] in pictures
    }
