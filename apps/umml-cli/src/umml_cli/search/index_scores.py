"""What a user really gets: the answers of an index, scored by shared labels, beside the exact ranking."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from cmh_metrics import RankingTables, average_precision

from umml_cli.errors import UserError
from umml_cli.search.collection import SIDES, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cmh_search import Combine, SearchResult
    from numpy.typing import NDArray

    from umml_cli.search.collection import Collection, Side
    from umml_cli.search.searcher import Searcher

_TASKS: dict[Side, Literal["i2t", "t2i"]] = {"image": "i2t", "text": "t2i"}


@dataclass(frozen=True, kw_only=True)
class SearchScores:
    """Scores of the searches of one modality.

    Args:
        task: "i2t" for image queries, "t2i" for text queries; both search all items.
        way: how the items were ranked.
        n_query: queries that have the modality.
        map: mean average precision of the whole ranking, ties expected; None where only the best are ranked.
        map_at_50: mean average precision of the first 50, normalised by the relevant ones among them.
        recall_at_10: share of the ten nearest codes found, equally distant ones alike; None where re-ranked.
        ndcg_at_10: normalised discounted cumulative gain of the first 10, gain 2^shared labels - 1.
        seconds: of a search, all queries asked in one call, divided by their number.
    """

    task: Literal["i2t", "t2i"]
    way: str
    n_query: int
    map: float | None
    map_at_50: float
    recall_at_10: float | None
    ndcg_at_10: float
    seconds: float


def score_searches(
    searcher: Searcher,
    queries: Collection,
    *,
    combine: Combine = "nearest",
    rerank: int | None = None,
    labels: Sequence[str] | None = None,
) -> Iterator[SearchScores]:
    """Ask an index for the query rows of a data set.

    Args:
        searcher: the index and its model.
        queries: the queries, with labels.
        combine: how the codes of an item with both are counted.
        rerank: score also the order by network outputs of the rerank * k nearest.
        labels: only items with one of these.

    Yields:
        For each modality the scores by codes, then those re-ranked where asked for; then both in the lists
            of faiss where the searcher has them.

    Raises:
        UserError: if the queries have other labels than the index.
    """
    index = searcher.index
    if tuple(queries.label_names) != index.label_names or not index.label_names:
        raise UserError(
            f"{index.path} and {queries.name} must have the same labels, because a shared one makes an item "
            "relevant; make the index from data with the same label names."
        )
    rows, table = index.rows, index.label_table()
    if labels:
        kept = table[:, np.isin(index.label_names, list(labels))].any(axis=1)
        rows, table = rows[kept], table[kept]
    place = np.full(int(index.rows[-1]) + 1, -1)
    place[rows] = np.arange(len(rows))
    for side in SIDES:
        outputs, query_labels = _encoded(queries, side)
        if not len(outputs):
            continue
        shared = query_labels.astype(np.int32) @ table.T.astype(np.int32)  # (n_query, n_item)
        distances = index.distances(outputs, combine=combine, query_modality=side)[:, rows]
        nearest = None
        for (name, search), r in product(_ways(searcher), (None, rerank) if rerank else (None,)):
            started = time.perf_counter()
            found = search(
                outputs, k=50, combine=combine, query_modality=side, labels=labels or None, rerank=r,
                query_values=None if r is None else outputs,
            )  # fmt: skip
            seconds = (time.perf_counter() - started) / len(outputs)
            nearest = found.distances[:, :10] if nearest is None else nearest  # the exact search comes first
            graded = np.take_along_axis(shared, place[np.maximum(found.rows, 0)], axis=1)
            grades = np.where(found.rows < 0, 0, graded)
            reranked = f"re-ranked, {r} times as many"
            exact = search == index.search
            yield SearchScores(
                task=_TASKS[side],
                way=name if r is None else (reranked if exact else f"{name}, {reranked}"),
                n_query=len(outputs),
                map=whole_map(distances, shared > 0) if exact and r is None else None,
                map_at_50=float(_precision(grades > 0).mean()),
                recall_at_10=_recall(found.distances[:, :10], nearest) if r is None else None,
                ndcg_at_10=float(_ndcg(grades[:, :10], shared).mean()),
                seconds=seconds,
            )


def _ways(searcher: Searcher) -> list[tuple[str, Callable[..., SearchResult]]]:
    """The exact search, and the approximate one if there is one."""
    ways: list[tuple[str, Callable[..., SearchResult]]] = [("by codes", searcher.index.search)]
    if (approximate := searcher.approximate) is not None:
        name = f"faiss, {approximate.probes} of {approximate.lists.lists} lists"
        ways.append((name, partial(approximate.lists.search, probes=approximate.probes)))
    return ways


def _recall(found: NDArray[np.float32], nearest: NDArray[np.float32]) -> float:
    """Share of the nearest found: as many as there are, counting equally distant ones alike."""
    there = np.isfinite(nearest)
    limit = np.where(there, nearest, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    return float((found <= limit).sum() / max(1, there.sum()))


def _encoded(queries: Collection, side: Side) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Network outputs of the queries that have a modality, and their labels."""
    outputs, labels = [], []
    for block in blocks(queries):
        outputs.append(block.outputs[side][block.present[side]])
        labels.append(queries.labels[block.rows[block.present[side]]])
    return np.concatenate(outputs), np.concatenate(labels)


def whole_map(distances: NDArray[np.float32], relevant: NDArray[np.bool_]) -> float:
    """Return the mean average precision of the whole ranking, ties expected.

    Args:
        distances: `(n_query, n_item)` float32.
        relevant: `(n_query, n_item)` bool.
    """
    columns = (2 * distances).astype(np.int64)  # whole numbers and halves as they are, others by their order
    if columns.min(initial=0) < 0 or (columns != 2 * distances).any():
        columns = np.stack([np.unique(row, return_inverse=True)[1] for row in distances])
    width = max(2, int(columns.max()) + 1)
    retrieved = np.stack([np.bincount(row, minlength=width) for row in columns])
    hits = np.stack(
        [np.bincount(row[hit], minlength=width) for row, hit in zip(columns, relevant, strict=True)]
    )
    return float(average_precision(tables=RankingTables(retrieved, hits)).mean())


def _precision(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of every list, `(n_query, k)` bool, normalised by the relevant items in it."""
    precisions = relevant.cumsum(axis=1) / np.arange(1, relevant.shape[1] + 1)
    scores: NDArray[np.float64] = (precisions * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return scores


def _ndcg(grades: NDArray[np.int32], all_grades: NDArray[np.int32]) -> NDArray[np.float64]:
    """NDCG of every list of grades, `(n_query, k)`, against the best order of all items."""
    discounts = 1 / np.log2(np.arange(2, grades.shape[1] + 2))
    best = -np.sort(-all_grades, axis=1)[:, : grades.shape[1]]
    actual = ((np.exp2(grades) - 1) * discounts).sum(axis=1)
    ideal = ((np.exp2(best) - 1) * discounts[: best.shape[1]]).sum(axis=1)
    scores: NDArray[np.float64] = np.divide(actual, ideal, out=np.zeros_like(actual), where=ideal > 0)
    return scores
