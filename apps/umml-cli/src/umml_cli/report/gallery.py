"""Retrieval examples: a few queries, what a run's codes bring up for them, and where the true partner is."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cmh_data
import numpy as np
from cmh_metrics import hamming_topk

from umml_cli.errors import UserError
from umml_cli.inputs.picture_files import shrink
from umml_cli.runs.own_items import own_items_known
from umml_cli.terms import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cmh_data import PairedDataset
    from cmh_metrics import PackedCodes
    from numpy.typing import NDArray

    from umml_cli.inputs.picture_files import PictureFiles
    from umml_cli.runs.run_codes import RunCodes

N_QUERIES = 6
N_SHOWN = 7
N_WORDS = 5
TEXT_LENGTH = 90
"""Characters of a caption that are shown."""

N_PICTURES = 3000
"""Pictures of a data set in one report; items beyond them are shown by their words."""

PICTURE_SIDE = 72


@dataclass(frozen=True)
class Answer:
    """A retrieved row: its Hamming distance in bits, and what it is to the query.

    Args:
        row: of the data set.
        distance: in bits.
        relevant: whether it shares a label with the query.
        own: whether it is the query's own partner.
    """

    row: int
    distance: int
    relevant: bool
    own: bool = False


@dataclass(frozen=True)
class Partner:
    """The query's own other side: its distance, and the places that it has, or would have, in the ranking.

    Args:
        distance: in bits.
        first: its place if it came before all items of the same distance, counted from 1.
        last: its place if it came after them.
    """

    distance: int
    first: int
    last: int


@dataclass(frozen=True)
class Retrieval:
    """One query, the top of its ranking, and its own partner (None where the two are not comparable)."""

    row: int
    answers: Sequence[Answer]
    partner: Partner | None


def choose_queries(labels: NDArray[np.uint8], n_queries: int) -> NDArray[np.int64]:
    """Positions of queries that spread over the labels: the first of each label, then the second, and so on.

    Args:
        labels: `(n_query, n_label)` of the query rows.
        n_queries: how many to choose; fewer when there are fewer.
    """
    if not labels.shape[1]:
        return np.arange(min(n_queries, len(labels)))
    turns = (
        np.cumsum(labels, axis=0, dtype=np.int64) * labels
    )  # (n_query, n_label): how many of its label came before, and itself
    turn = np.where(labels > 0, turns, np.iinfo(np.int64).max).min(axis=1)  # (n_query,)
    first_label = labels.argmax(axis=1)
    return np.lexsort((first_label, turn))[:n_queries].astype(np.int64)


def look_up(
    dataset: PairedDataset,
    codes: RunCodes,
    *,
    one_space: bool = True,
    n_queries: int = N_QUERIES,
    n_shown: int = N_SHOWN,
) -> dict[str, list[Retrieval]]:
    """The top results of a few queries in both directions, by Hamming distance.

    With labels, the retrieval set is ranked, and the query's partner is placed among it. Without, all
    complete query rows are ranked, as in the evaluation, and the partner is one of them.

    Args:
        dataset: the run's data.
        codes: of the run.
        one_space: whether images and texts have codes in one space, so that partners can be compared.
        n_queries: how many queries.
        n_shown: results of each.

    Raises:
        UserError: the codes name rows that the data lack.
    """
    rows = np.concatenate([codes.query_rows, codes.retrieval_rows])
    if rows.max() >= len(dataset.label):
        raise UserError(
            f"The codes of a run on {dataset.name} name row {rows.max()}, but the data have "
            f"{len(dataset.label)} rows; remove the run's folder and train again."
        )
    labelled = codes.query_labels.shape[1] > 0
    whole = np.flatnonzero(own_items_known(codes))
    chosen = whole[choose_queries(codes.query_labels[whole], n_queries)]
    found: dict[str, list[Retrieval]] = {}
    for task in TASKS:
        queries, database = codes.task_codes(task)
        partners = codes.query_text if task == "i2t" else codes.query_image
        ranked = codes.retrieval_rows
        if not labelled:
            database, ranked = partners[whole], codes.query_rows[whole]
        comparable = one_space and partners.bits == queries.bits
        found[task] = []
        if not len(chosen) or not len(ranked):
            continue
        distances, indices = hamming_topk(
            query_codes=queries[chosen], database_codes=database, k=min(n_shown, len(ranked))
        )
        for i, query in enumerate(chosen):
            row = int(codes.query_rows[query])
            relevant = (codes.query_labels[query] & codes.retrieval_labels[indices[i]]).any(axis=1) \
                if labelled else ranked[indices[i]] == row  # fmt: skip
            answers = [
                Answer(int(ranked[index]), int(distance), bool(right), own=int(ranked[index]) == row)
                for index, distance, right in zip(indices[i], distances[i], relevant, strict=True)
            ]
            partner = None
            if comparable:
                place = slice(query, query + 1)
                partner = _place(queries[place], partners[place], database, itself_ranked=not labelled)
            found[task].append(Retrieval(row, answers, partner))
    return found


def _place(
    query: PackedCodes, partner: PackedCodes, database: PackedCodes, *, itself_ranked: bool
) -> Partner:
    """Place a query's partner among the database, of which it may be a part."""
    words = query.words[0]
    distance = int(np.bitwise_count(partner.words[0] ^ words).sum())
    others = np.bitwise_count(database.words ^ words).sum(axis=1, dtype=np.int64)  # (n_database,)
    closer, tied = int((others < distance).sum()), int((others == distance).sum())
    return Partner(distance, closer + 1, closer + tied + (0 if itself_ranked else 1))


@dataclass
class Items:
    """What a report says of the rows of a data set; each row stands once for all that retrieve it.

    Args:
        dataset: the data set.
        files: the pictures that its ids are the paths of, if they are at hand.
        shown: row to its text, its class names and its picture ("" for none).
        absent: ids whose picture is not there, or cannot be read.
    """

    dataset: PairedDataset
    files: PictureFiles | None = None
    shown: dict[int, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._n_pictures = 0
        self._built_in: Mapping[str, bytes] = {}
        if self.dataset.name == cmh_data.sample().name and self.dataset.ids:
            self._built_in = cmh_data.sample_pictures()

    @property
    def can_be_shown(self) -> bool:
        """Whether a reader would see more of an item than a number."""
        data = self.dataset
        pictures = bool(self._built_in or self._pixels or self.files)
        return pictures or bool(data.captions or data.text_vocabulary or data.label_names)

    @property
    def shows_emoji(self) -> bool:
        """Whether its pictures are those of the built-in data set."""
        return bool(self._built_in and self._n_pictures)

    @property
    def _pixels(self) -> bool:
        return len(self.dataset.image.shape) == 4 and self.dataset.image.dtype == np.uint8

    def row(self, row: int) -> int:
        """Describe a row, if it is not yet described, and return it."""
        if row not in self.shown:
            self.shown[row] = [self._text(row), self._labels(row), self._picture(row)]
        return row

    def _text(self, row: int) -> str:
        """The caption of a row, or else the heaviest words of its text."""
        data = self.dataset
        if data.captions and data.captions[row]:
            caption = " ".join(data.captions[row].split())
            return caption if len(caption) <= TEXT_LENGTH else caption[: TEXT_LENGTH - 1] + "…"
        if not data.text_vocabulary or not data.text_present[row]:
            return ""
        text = np.asarray(data.text[row], dtype=np.float64)
        heaviest = [column for column in np.argsort(-text, kind="stable")[:N_WORDS] if text[column] > 0]
        return ", ".join(data.text_vocabulary[column] for column in heaviest)

    def _labels(self, row: int) -> str:
        names = self.dataset.label_names
        return ", ".join(names[label] for label in np.flatnonzero(self.dataset.label[row])) if names else ""

    def _picture(self, row: int) -> str:
        data = self.dataset
        if self._n_pictures >= N_PICTURES or not data.image_present[row]:
            return ""
        kind, content = "png", self._built_in.get(data.ids[row]) if self._built_in else None
        if content is None and self._pixels:
            kind, content = "webp", _small(np.asarray(data.image[row]))
        if content is None and self.files is not None and data.ids:
            kind, content = "webp", self.files.small(data.ids[row], PICTURE_SIDE)
            if content is None:
                self.absent.append(data.ids[row])
        if content is None:
            return ""
        self._n_pictures += 1
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _small(pixels: NDArray[Any]) -> bytes:
    """A WebP file of `(3, height, width)` uint8 pixels, at most `PICTURE_SIDE` wide and high."""
    from PIL import Image  # noqa: PLC0415 - only for data with pixels

    return shrink(Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))), PICTURE_SIDE)
