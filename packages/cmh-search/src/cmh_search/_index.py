"""An index of codes: what a reader opens and searches."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from cmh_metrics import PackedCodes, hamming_distances, hamming_topk, pack_codes

from cmh_search._errors import CodeIndexError
from cmh_search._manifest import Manifest
from cmh_search._results import Neighbours, SearchResult
from cmh_search._segment import GROUPS, SIDES, Group, Segment, Side
from cmh_search._writer import open_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

Combine = Literal["nearest", "mean", "cross"]
"""How the two codes of an item make one distance."""

_GATHERED_SHARE = 0.2  # where fewer items of a group may be found, their codes are taken out first
_DENSE_ENTRIES = 2**22  # distances held at a time where all are calculated
_ATTEMPTS = 20  # to open a state that a writer does not replace in the meantime


class CodeIndex:
    """Packed codes of a collection on disk, searched exactly; items have an image code, a text code or both.

    An opened index shows one state and keeps it, whatever a writer does; `refresh` opens the newest.
    Its files are mapped into memory: opening reads next to nothing.

    Args:
        path: the index folder.

    Raises:
        CodeIndexError: if there is no index, or it is damaged or of another version.

    Example:
        >>> import tempfile
        >>> from cmh_search import CodeIndex, IndexWriter
        >>> folder = tempfile.mkdtemp() + "/boats"
        >>> index = CodeIndex.create(folder, bits=4, label_names=["sea"])
        >>> with IndexWriter(folder) as writer:
        ...     writer.add(ids=["boat"], image_codes=[[1, 1, -1, -1]], payload=[{"path": "boat.jpg"}])
        ...     writer.add(ids=["a note"], text_codes=[[1, 1, 1, 1]])
        >>> found = index.refresh().search([[1, 1, 1, -1]], k=2)
        >>> found.ids(0), found.distances.tolist()
        (['boat', 'a note'], [[1.0, 1.0]])
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        for attempt in range(_ATTEMPTS):
            self._manifest = Manifest.read(self.path)
            try:
                self._segments = [
                    open_segment(self.path, entry, self._manifest.bits) for entry in self._manifest.segments
                ]
                for segment in self._segments:
                    segment.open()
            except FileNotFoundError as error:
                if attempt == _ATTEMPTS - 1 or Manifest.read(self.path) == self._manifest:
                    raise CodeIndexError(
                        f"{error.filename} is missing; the index is damaged, make it anew"
                    ) from None
            else:
                break
        sizes = [len(segment) for segment in self._segments]
        self._first_row = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        *,
        bits: int,
        label_names: Sequence[str] = (),
        value_width: int = 0,
    ) -> CodeIndex:
        """Make an empty index.

        Args:
            path: a folder that does not exist yet, or is empty.
            bits: code length, 1 to 1024.
            label_names: names of the labels that items may have.
            value_width: numbers in the network output kept beside an item's code for re-ranking (the code
                length, as a rule); 0: none are kept.

        Returns:
            The opened index.

        Raises:
            CodeIndexError: if something lies at `path` already, or a setting is out of range.
        """
        folder = Path(path)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CodeIndexError(f"{path} is there already; choose another folder, or open it to add items")
        if not 1 <= bits <= 1024:
            raise CodeIndexError(f"bits must be 1 to 1024, but it is {bits}")
        if value_width < 0:
            raise CodeIndexError(f"value_width must not be negative, but it is {value_width}")
        if len(set(label_names)) < len(label_names):
            raise CodeIndexError("label_names must be all different")
        folder.mkdir(parents=True, exist_ok=True)
        Manifest(bits=bits, label_names=tuple(label_names), value_width=value_width).write(folder)
        return cls(folder)

    def __len__(self) -> int:
        return sum(entry.n - entry.n_deleted for entry in self._manifest.segments)

    def __repr__(self) -> str:
        return f"CodeIndex({str(self.path)!r}, {len(self)} items of {self.bits} bits)"

    @property
    def bits(self) -> int:
        """Code length."""
        return self._manifest.bits

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels that items may have."""
        return self._manifest.label_names

    @property
    def keeps_values(self) -> bool:
        """Whether network outputs are kept for re-ranking."""
        return self._manifest.value_width > 0

    @cached_property
    def counts(self) -> dict[Group, int]:
        """Live items that have an image code only, a text code only, or both."""
        totals: dict[Group, int] = {"image": 0, "text": 0, "both": 0}
        for segment in self._segments:
            for group, rows in segment.rows.items():
                live = rows if segment.deleted is None else rows[~segment.deleted[rows]]
                totals[group] += len(live)
        return totals

    def refresh(self) -> CodeIndex:
        """Open the newest state.

        Returns:
            Another index; this one stays as it is.
        """
        return type(self)(self.path)

    def search(
        self,
        query_codes: PackedCodes | ArrayLike,
        *,
        k: int = 10,
        combine: Combine = "nearest",
        query_modality: Side | None = None,
        labels: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        rerank: int | None = None,
        query_values: ArrayLike | None = None,
        threads: int | None = None,
    ) -> SearchResult:
        """Find the k nearest items of every query, exactly; equally distant ones in the order of their rows.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, as `cmh_metrics.pack_codes` takes them, or
                PackedCodes.
            k: how many items, `>= 1`.
            combine: the distance of an item that has two codes. `"nearest"`: the smaller one; `"mean"`: the
                mean of both; `"cross"`: that to the code of the other modality, as in cross-modal retrieval.
                An item with one code is compared by that one.
            query_modality: `"image"` or `"text"`; `combine="cross"` needs it.
            labels: only items with at least one of these labels.
            ids: only these items.
            exclude: not these items, for example the query's own.
            rerank: r: take the k * r nearest items by code and order them anew by the cosine of network
                outputs. Needs `query_values` and an index that keeps values.
            query_values: `(n_query, value_width)` float network outputs of the queries.
            threads: as in `cmh_metrics.hamming_topk`.

        Returns:
            The items found, fewer than k where there are no more.

        Raises:
            CodeIndexError: if the codes do not fit, a label or id is unknown, or a choice is incomplete.
        """
        queries = self._queries(query_codes)
        sides = self._check_combine(combine, query_modality)
        if k < 1:
            raise CodeIndexError(f"k must be at least 1, but it is {k}")
        values = self._check_rerank(rerank, query_values, len(queries))
        asked = k * (rerank or 1)
        allowed = self._allowed(labels, ids, exclude)
        best = Neighbours.none(len(queries))
        for segment, first_row, mask in zip(self._segments, self._first_row, allowed, strict=False):
            for found in _nearest(
                segment, queries, asked, sides=sides, combine=combine, mask=mask, threads=threads
            ):
                best = best.merged(found.shifted(int(first_row)), asked)
        if values is not None:
            best = self._rerank(best, values, sides, combine, k)
        return SearchResult(distances=best.distances, rows=best.rows, scores=best.scores, _index=self)

    def within(
        self,
        query_codes: PackedCodes | ArrayLike,
        *,
        radius: float,
        combine: Combine = "nearest",
        query_modality: Side | None = None,
        labels: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
    ) -> list[SearchResult]:
        """Find all items within a Hamming radius of every query.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, as in `search`.
            radius: largest distance in bits, itself included.
            combine: as in `search`.
            query_modality: as in `search`.
            labels: as in `search`.
            ids: as in `search`.
            exclude: as in `search`.

        Returns:
            One result for each query, nearest first, equally distant items in the order of their rows.

        Raises:
            CodeIndexError: as in `search`.
        """
        queries = self._queries(query_codes)
        allowed = self._allowed(labels, ids, exclude)
        results = []
        for number in range(len(queries)):
            rows, distances = [], []
            for first, block, mask in self._all_distances(
                queries[number : number + 1], combine, query_modality, allowed
            ):
                inside = np.flatnonzero((block[0] <= radius) & mask)
                rows.append(first + inside)
                distances.append(block[0, inside])
            row, distance = np.concatenate([[], *rows]), np.concatenate([[], *distances])
            order = np.argsort(distance, kind="stable")
            results.append(
                SearchResult(
                    distances=distance[order][None].astype(np.float32),
                    rows=row[order][None].astype(np.int64),
                    scores=None,
                    _index=self,
                )
            )
        return results

    def distances(
        self,
        query_codes: PackedCodes | ArrayLike,
        *,
        combine: Combine = "nearest",
        query_modality: Side | None = None,
    ) -> NDArray[np.float32]:
        """Return the distance of every query to every row, for an evaluation of the whole ranking.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, as in `search`.
            combine: as in `search`.
            query_modality: as in `search`.

        Returns:
            `(n_query, n_row)` float32, in bits, in halves for the mean; infinite for deleted items.

        Raises:
            CodeIndexError: as in `search`.
        """
        queries = self._queries(query_codes)
        result = np.full((len(queries), int(self._first_row[-1])), np.inf, np.float32)
        for first, block, mask in self._all_distances(
            queries, combine, query_modality, self._allowed(None, None, None)
        ):
            result[:, first : first + block.shape[1]] = np.where(mask, block, np.inf)
        return result

    def row_of(self, name: str) -> int:
        """Return the row of an item.

        Args:
            name: its id.

        Returns:
            The row.

        Raises:
            CodeIndexError: if no item has this id.
        """
        return self._rows_of([name])[0]

    def codes_of(self, name: str) -> dict[Side, PackedCodes]:
        """Return the codes of an item, to search for what is like it.

        Args:
            name: its id.

        Returns:
            One row of codes for each modality that the item has.

        Raises:
            CodeIndexError: if no item has this id.
        """
        segment, row = self._locate(self.row_of(name))
        codes: dict[Side, PackedCodes] = {}
        for side in SIDES:
            groups: tuple[Group, Group] = (side, "both")
            for group in groups:
                place = np.searchsorted(segment.rows[group], row)
                if place < len(segment.rows[group]) and segment.rows[group][place] == row:
                    codes[side] = segment.codes(side, group)[int(place) : int(place) + 1]
        return codes

    def id(self, row: int) -> str:
        """Return the id of an item.

        Args:
            row: its row.

        Returns:
            The id.
        """
        segment, local = self._locate(row)
        return segment.id(local)

    def payload(self, row: int) -> dict[str, Any]:
        """Return the payload of an item.

        Args:
            row: its row.

        Returns:
            The JSON object that was given when it was added.
        """
        segment, local = self._locate(row)
        return segment.payload(local)

    def labels(self, row: int) -> tuple[str, ...]:
        """Return the labels of an item.

        Args:
            row: its row.

        Returns:
            Their names.
        """
        segment, local = self._locate(row)
        bits = np.unpackbits(segment.labels[local], count=len(self.label_names))
        return tuple(name for name, bit in zip(self.label_names, bits, strict=True) if bit)

    def _locate(self, row: int) -> tuple[Segment, int]:
        number = int(np.searchsorted(self._first_row, row, side="right")) - 1
        return self._segments[number], int(row - self._first_row[number])

    def _queries(self, given: PackedCodes | ArrayLike) -> PackedCodes:
        if isinstance(given, PackedCodes):
            queries = given
        else:
            try:
                queries = pack_codes(np.atleast_2d(np.asarray(given)), name="query_codes")
            except ValueError as error:
                raise CodeIndexError(str(error)) from None
        if queries.bits != self.bits:
            raise CodeIndexError(
                f"query_codes must have {self.bits} bits as the index has, but they have {queries.bits}; "
                "encode queries with the model that made the index"
            )
        return queries

    @staticmethod
    def _check_combine(combine: str, query_modality: str | None) -> tuple[Side, ...]:
        """Which codes of an item with two count."""
        if combine not in get_args(Combine):
            raise CodeIndexError(f"combine must be nearest, mean or cross, but it is {combine!r}")
        if query_modality not in (None, *SIDES):
            raise CodeIndexError(f"query_modality must be image or text, but it is {query_modality!r}")
        if combine != "cross":
            return SIDES
        if query_modality is None:
            raise CodeIndexError("combine='cross' must know query_modality, 'image' or 'text'")
        return ("text",) if query_modality == "image" else ("image",)

    def _check_rerank(
        self, rerank: int | None, given: ArrayLike | None, n: int
    ) -> NDArray[np.float32] | None:
        if rerank is None:
            return None
        if rerank < 1:
            raise CodeIndexError(f"rerank must be at least 1, but it is {rerank}")
        if not self.keeps_values:
            raise CodeIndexError("this index keeps no values to re-rank by; create it with value_width")
        values = None if given is None else np.atleast_2d(np.asarray(given, np.float32))
        if values is None or values.shape != (n, self._manifest.value_width):
            raise CodeIndexError(
                f"query_values must be of shape {(n, self._manifest.value_width)} for re-ranking, but "
                f"{'it is missing' if values is None else f'its shape is {values.shape}'}"
            )
        return values

    def _allowed(
        self, labels: Iterable[str] | None, ids: Iterable[str] | None, exclude: Iterable[str] | None
    ) -> list[NDArray[np.bool_] | None]:
        """For each segment which rows may be found; None: all."""
        masks = [None if segment.deleted is None else ~segment.deleted for segment in self._segments]
        if labels is not None:
            wanted = self._label_bits(labels)
            masks = [
                _both(mask, (segment.labels & wanted).any(axis=1))
                for segment, mask in zip(self._segments, masks, strict=True)
            ]
        for names, keep in ((ids, True), (exclude, False)):
            if names is None:
                continue
            rows = np.array(self._rows_of(list(names)), np.int64)
            for number, segment in enumerate(self._segments):
                local = rows - self._first_row[number]
                named = np.zeros(len(segment), bool)
                named[local[(local >= 0) & (local < len(segment))]] = True
                if keep or named.any():
                    masks[number] = _both(masks[number], named if keep else ~named)
        return masks

    def _label_bits(self, labels: Iterable[str]) -> NDArray[np.uint8]:
        names = [labels] if isinstance(labels, str) else list(labels)
        unknown = [name for name in names if name not in self.label_names]
        if unknown:
            known = ", ".join(self.label_names[:20]) or "none"
            raise CodeIndexError(f"there is no label {unknown[0]!r} in this index; it has {known}")
        return np.packbits(np.isin(self.label_names, names))

    def _rows_of(self, names: Sequence[str]) -> list[int]:
        rows: dict[str, int] = {}
        for segment, first_row in zip(self._segments, self._first_row, strict=False):
            rows |= {name: int(first_row) + row for name, row in segment.find(names).items()}
        if missing := [name for name in names if name not in rows]:
            raise CodeIndexError(f"there is no item with the id {missing[0]!r} in this index")
        return [rows[name] for name in names]

    def _all_distances(
        self,
        queries: PackedCodes,
        combine: Combine,
        query_modality: Side | None,
        allowed: list[NDArray[np.bool_] | None],
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
        """Pieces of the rows in order: first row, `(n_query, n)` distances, `(n,)` which may be found."""
        sides = self._check_combine(combine, query_modality)
        for segment, first_row, mask in zip(self._segments, self._first_row, allowed, strict=False):
            step = max(1, _DENSE_ENTRIES // len(queries))
            for start in range(0, len(segment), step):
                stop = min(start + step, len(segment))
                block = np.full((len(queries), stop - start), np.inf, np.float32)
                for group in GROUPS:
                    rows = segment.rows[group]
                    piece = slice(*np.searchsorted(rows, (start, stop)))
                    if piece.start < piece.stop:
                        block[:, rows[piece] - start] = _group_distances(
                            segment, queries, group, piece, sides=sides, combine=combine
                        )
                inside = np.ones(stop - start, bool) if mask is None else mask[start:stop]
                yield int(first_row) + start, block, inside

    def _rerank(
        self,
        found: Neighbours,
        query_values: NDArray[np.float32],
        sides: tuple[Side, ...],
        combine: Combine,
        k: int,
    ) -> Neighbours:
        """The k best of what was found by the cosine of network outputs; equal ones by distance, then row."""
        norm = np.linalg.norm(query_values, axis=1, keepdims=True)
        unit = query_values / np.where(norm > 0, norm, 1)
        scores = np.full(found.rows.shape, -np.inf, np.float32)
        for number, (segment, first_row) in enumerate(zip(self._segments, self._first_row, strict=False)):
            query, place = np.nonzero((found.rows >= first_row) & (found.rows < self._first_row[number + 1]))
            if len(query) == 0:
                continue
            rows = found.rows[query, place] - first_row
            cosine = {side: np.einsum("nd,nd->n", segment.values(side, rows), unit[query]) for side in SIDES}
            scores[query, place] = _combined(cosine, sides, combine)
        return found.reordered(scores, k)


def _combined(
    cosine: dict[Side, NDArray[np.float32]], sides: tuple[Side, ...], combine: Combine
) -> NDArray[np.float32]:
    """One score for each item out of those of its modalities; NaN marks a modality that it has not."""
    image, text = cosine["image"], cosine["text"]
    if combine == "cross":
        first, second = (image, text) if sides == ("image",) else (text, image)
        return np.where(np.isnan(first), second, first)
    if combine == "mean":
        both = (image + text) / 2
        return np.where(np.isnan(both), np.fmax(image, text), both)
    return np.fmax(image, text)


def _both(mask: NDArray[np.bool_] | None, other: Any) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = other if mask is None else mask & other
    return both


def _sides_of(group: Group, sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """The codes of a group that count."""
    return sides if group == "both" else (group,)


def _group_distances(
    segment: Segment,
    queries: PackedCodes,
    group: Group,
    piece: slice,
    *,
    sides: tuple[Side, ...],
    combine: Combine,
) -> NDArray[np.float32]:
    """Distances of every query to a piece of a group, `(n_query, n)`."""
    parts = [
        hamming_distances(query_codes=queries, database_codes=segment.codes(side, group)[piece])
        for side in _sides_of(group, sides)
    ]
    if len(parts) == 1:
        return parts[0].astype(np.float32)
    combined = np.minimum(*parts) if combine == "nearest" else (parts[0] + parts[1]) / 2
    return combined.astype(np.float32)


def _nearest(
    segment: Segment,
    queries: PackedCodes,
    k: int,
    *,
    sides: tuple[Side, ...],
    combine: Combine,
    mask: NDArray[np.bool_] | None,
    threads: int | None,
) -> Iterator[Neighbours]:
    """The k nearest items of each group of a segment, as local rows; an item may come twice."""
    for group in GROUPS:
        rows = segment.rows[group]
        if len(rows) == 0:
            continue
        may = None if mask is None else mask[rows]
        if may is not None and not may.any():
            continue
        if group == "both" and combine == "mean":
            yield from _nearest_by_mean(segment, queries, k, rows, may)
            continue
        for side in _sides_of(group, sides):
            yield _top(segment.codes(side, group), rows, queries, k=k, may=may, threads=threads)


def _top(
    codes: PackedCodes,
    rows: NDArray[np.int64],
    queries: PackedCodes,
    *,
    k: int,
    may: NDArray[np.bool_] | None,
    threads: int | None,
) -> Neighbours:
    """The k nearest allowed rows of one array of codes."""
    if may is not None:
        count = int(may.sum())
        if count < _GATHERED_SHARE * len(may):
            chosen = np.flatnonzero(may)
            codes, rows, may = codes[chosen], rows[chosen], None
        elif count == len(may):
            may = None
    fetched = k
    while True:
        fetched = min(fetched, len(rows))
        distances, places = hamming_topk(
            query_codes=queries, database_codes=codes, k=fetched, threads=threads
        )
        if may is None:
            return Neighbours(distances.astype(np.float32), rows[places])
        inside = may[places]
        if fetched == len(rows) or (inside.sum(axis=1) >= k).all():
            kept = np.where(inside, distances, np.inf).astype(np.float32)
            return Neighbours(kept, np.where(inside, rows[places], -1)).best(k)
        fetched *= 4


def _nearest_by_mean(
    segment: Segment, queries: PackedCodes, k: int, rows: NDArray[np.int64], may: NDArray[np.bool_] | None
) -> Iterator[Neighbours]:
    """The k nearest items with two codes by the mean of both distances, a piece of the rows at a time."""
    step = max(1, _DENSE_ENTRIES // len(queries))
    for start in range(0, len(rows), step):
        piece = slice(start, start + step)
        distances = _group_distances(segment, queries, "both", piece, sides=SIDES, combine="mean")
        found = np.broadcast_to(rows[piece], distances.shape)
        if may is not None:
            distances[:, ~may[piece]] = np.inf
            found = np.where(may[piece], found, -1)
        yield Neighbours(distances, found).best(k)
