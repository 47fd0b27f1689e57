"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmh_search._index import CodeIndex


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows found for every query, nearest first, on their way to a result.

    Args:
        distances: `(n_query, n)` float32, infinite where nothing was found.
        rows: `(n_query, n)` int64, -1 where nothing was found.
        scores: `(n_query, n)` float32 cosines after re-ranking, or None.
    """

    distances: NDArray[np.float32]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32] | None = None

    @classmethod
    def none(cls, n_query: int) -> Neighbours:
        """Nothing found yet."""
        return cls(np.empty((n_query, 0), np.float32), np.empty((n_query, 0), np.int64))

    def shifted(self, first_row: int) -> Neighbours:
        """The same, with rows counted from the beginning of the index."""
        return Neighbours(self.distances, np.where(self.rows < 0, -1, self.rows + first_row))

    def best(self, k: int) -> Neighbours:
        """The k nearest, equally distant ones by row."""
        if self.distances.shape[1] > 4 * k:  # sort no more than what can be among them
            limit = np.partition(self.distances, k - 1, axis=1)[:, k - 1 : k]
            if (width := int((self.distances <= limit).sum(axis=1).max())) < self.distances.shape[1] // 2:
                order = np.argsort(self.distances > limit, axis=1, kind="stable")[:, :width]
                return self._taken(order).best(k)
        return self._taken(np.lexsort((self.rows, self.distances), axis=1)[:, :k])

    def merged(self, other: Neighbours, k: int) -> Neighbours:
        """The k nearest of both, each row once, by its smaller distance; both are in order."""
        if not self.distances.shape[1] and other.distances.shape[1] <= k and (other.rows >= 0).all():
            return other
        distances = np.concatenate([self.distances, other.distances], axis=1)
        rows = np.concatenate([self.rows, other.rows], axis=1)
        order = np.lexsort((distances, rows), axis=1)
        distances, rows = np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)
        twice = np.zeros_like(rows, dtype=bool)
        twice[:, 1:] = rows[:, 1:] == rows[:, :-1]
        best = Neighbours(np.where(twice, np.float32(np.inf), distances), np.where(twice, -1, rows)).best(k)
        used = (best.rows >= 0).any(axis=0)  # nothing stands behind the last item found
        return Neighbours(best.distances[:, used], best.rows[:, used])

    def padded(self, k: int) -> Neighbours:
        """The same in k columns; where nothing was found the distance is infinite and the row -1."""
        missing = ((0, 0), (0, k - self.rows.shape[1]))
        return Neighbours(
            np.pad(self.distances, missing, constant_values=np.float32(np.inf)),
            np.pad(self.rows, missing, constant_values=-1),
        )

    def replaced(
        self, queries: NDArray[np.bool_], distances: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> Neighbours:
        """The same with what was found for some queries replaced."""
        result = Neighbours(self.distances.copy(), self.rows.copy())
        result.distances[queries, : rows.shape[1]] = distances
        result.rows[queries, : rows.shape[1]] = rows
        return result

    def reordered(self, scores: NDArray[np.float32], k: int) -> Neighbours:
        """The k of the largest scores, equal ones in the order that they have."""
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        taken = self._taken(order)
        return Neighbours(taken.distances, taken.rows, np.take_along_axis(scores, order, 1))

    def _taken(self, order: NDArray[np.int64]) -> Neighbours:
        return Neighbours(
            np.take_along_axis(self.distances, order, axis=1), np.take_along_axis(self.rows, order, axis=1)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchResult:
    """Items found for some queries, best first.

    Args:
        distances: `(n_query, k)` float32, in bits, in halves for the mean, in 1/512 and perhaps negative for
            `"centred"`; infinite where no item was left.
        rows: `(n_query, k)` int64 rows of the index, -1 where no item was left.
        scores: `(n_query, k)` float32 cosines of the network outputs where re-ranked, else None.

    Example:
        >>> import tempfile
        >>> from cmh_search import CodeIndex, IndexWriter
        >>> folder = tempfile.mkdtemp() + "/two"
        >>> _ = CodeIndex.create(folder, bits=4)
        >>> with IndexWriter(folder) as writer:
        ...     writer.add(ids=["near", "far"], text_codes=[[1, 1, 1, 1], [-1, -1, 1, 1]])
        >>> CodeIndex(folder).search([1, 1, 1, -1]).items()[0]
        {'id': 'near', 'row': 0, 'distance': 1.0, 'labels': [], 'payload': {}}
    """

    distances: NDArray[np.float32]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32] | None
    _index: CodeIndex

    def __len__(self) -> int:
        return len(self.rows)

    def ids(self, query: int = 0) -> list[str]:
        """Return the ids of what was found for a query, best first.

        Args:
            query: its number.

        Returns:
            The ids.
        """
        return [self._index.id(int(row)) for row in self._found(query)]

    def items(self, query: int = 0) -> list[dict[str, Any]]:
        """Return what was found for a query as JSON objects, best first.

        Args:
            query: its number.

        Returns:
            For each item `id`, `row`, `distance` in bits, `labels`, `payload`, and `score` where re-ranked.
        """
        items = []
        for place, row in enumerate(map(int, self._found(query))):
            item: dict[str, Any] = {
                "id": self._index.id(row),
                "row": row,
                "distance": float(self.distances[query, place]),
                "labels": list(self._index.labels(row)),
                "payload": self._index.payload(row),
            }
            if self.scores is not None:
                item["score"] = round(float(self.scores[query, place]), 6)
            items.append(item)
        return items

    def _found(self, query: int) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = self.rows[query]
        return rows[rows >= 0]
