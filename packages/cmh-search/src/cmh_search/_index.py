"""An index of codes: what a reader opens and searches."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from cmh_metrics import PackedCodes, pack_codes

from cmh_search._centre import count_ones, mean_distances
from cmh_search._combine import counted_sides
from cmh_search._errors import CodeIndexError, check_whole
from cmh_search._filters import allowed_rows
from cmh_search._manifest import Manifest, ValueType
from cmh_search._nearest import all_distances, nearest
from cmh_search._rerank import check_query_values
from cmh_search._rerank import rerank as reranked
from cmh_search._results import Neighbours, SearchResult
from cmh_search._segment import SIDES, Group, Side, damage_named, groups_with
from cmh_search._state import IndexState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from cmh_search._combine import Combine


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
        self._state = IndexState.read(self.path)

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        *,
        bits: int,
        label_names: Sequence[str] = (),
        value_width: int = 0,
        value_type: ValueType = "float16",
        remarks: Mapping[str, Any] | None = None,
    ) -> CodeIndex:
        """Make an empty index.

        Args:
            path: a folder that does not exist yet, or is empty.
            bits: code length, 1 to 1024.
            label_names: names of the labels that items may have.
            value_width: numbers in the network output kept beside an item's code for re-ranking (the code
                length, as a rule); 0: none are kept.
            value_type: `"float16"` or `"int8"`, of these numbers: two bytes each, or one.
            remarks: whatever should travel with the index, as JSON values, for example the model that made
                its codes.

        Returns:
            The opened index.

        Raises:
            CodeIndexError: if something lies at `path` already, or a setting is out of range.
        """
        folder = Path(path)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CodeIndexError(f"{path} is there already; choose another folder, or open it to add items")
        check_whole(bits, "bits")
        if bits > 1024:
            raise CodeIndexError(f"bits must be 1 to 1024, but it is {bits}")
        check_whole(value_width, "value_width", least=0)
        if value_type not in get_args(ValueType):
            raise CodeIndexError(f"value_type must be float16 or int8, but it is {value_type!r}")
        if isinstance(label_names, str):
            raise CodeIndexError(f"label_names must be a list of names, but it is the text {label_names!r}")
        if wrong := [name for name in label_names if not isinstance(name, str)]:  # type: ignore[redundant-expr]
            raise CodeIndexError(f"label_names must be texts, but one is {wrong[0]!r}")
        if len(set(label_names)) < len(label_names):
            raise CodeIndexError("label_names must be all different")
        try:
            kept = json.loads(json.dumps(dict(remarks or {}), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise CodeIndexError(f"remarks must be JSON values, but {error}") from None
        folder.mkdir(parents=True, exist_ok=True)
        Manifest(
            bits=int(bits),
            label_names=tuple(label_names),
            value_width=int(value_width),
            value_type=value_type,
            remarks=kept,
        ).write(folder)
        return cls(folder)

    def __len__(self) -> int:
        return sum(entry.n - entry.n_deleted for entry in self._state.manifest.segments)

    def __repr__(self) -> str:
        return f"CodeIndex({str(self.path)!r}, {len(self)} items of {self.bits} bits)"

    @property
    def bits(self) -> int:
        """Code length."""
        return self._state.manifest.bits

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels that items may have."""
        return self._state.manifest.label_names

    @property
    def remarks(self) -> Mapping[str, Any]:
        """What travels with the index, as `create` took it."""
        return self._state.manifest.remarks

    @property
    def keeps_values(self) -> bool:
        """Whether network outputs are kept for re-ranking."""
        return self._state.manifest.value_width > 0

    @cached_property
    def counts(self) -> dict[Group, int]:
        """Live items that have an image code only, a text code only, or both."""
        totals: dict[Group, int] = {"image": 0, "text": 0, "both": 0}
        for segment in self._state.segments:
            for group, rows in segment.rows.items():
                live = rows if segment.deleted is None else rows[~segment.deleted[rows]]
                totals[group] += len(live)
        return totals

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the live items, `(n,)` int64, rising."""
        live = [
            np.arange(len(segment)) if segment.deleted is None else np.flatnonzero(~segment.deleted)
            for segment in self._state.segments
        ]
        shifted = [rows + first_row for rows, (_, first_row) in zip(live, self._state, strict=True)]
        return np.concatenate([np.empty(0, np.int64), *shifted])

    def label_table(self) -> NDArray[np.uint8]:
        """Return the labels of all live items, to score searches by them.

        Returns:
            `(n, n_label)` uint8 zeros and ones, in the order of `rows` and of `label_names`.
        """
        n_label = len(self.label_names)
        packed = [segment.labels for segment in self._state.segments]
        tables = [np.unpackbits(part, axis=1, count=n_label) for part in packed]
        return np.concatenate([np.empty((0, n_label), np.uint8), *tables])[self.rows]

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
                An item with one code is compared by that one. `"centred"`: the mean, over the codes that the
                item has, of distance minus the query's mean distance to the codes of that modality, over all
                items of the index (not only those that filters leave), to the next 1/256 bit. So an item with
                an image and one with a text compare even where all texts are nearer than all images, and an
                item at a negative distance is nearer than an average one. Without gaps the order is that of
                the mean. Equally distant items of one kind (image, text, both) stay equally distant; items of
                different kinds hardly ever are.
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
        queries = self.check_queries(query_codes)
        sides = counted_sides(combine, query_modality)
        check_whole(k, "k")
        values = check_query_values(self._state, rerank, query_values, len(queries))
        if values is not None and combine == "centred":
            raise CodeIndexError(
                "rerank must be None for combine='centred', but it is "
                f"{rerank}: cosines of images and of texts do not compare either"
            )
        asked = k * (rerank or 1)
        means = self._means(combine, queries)
        allowed = allowed_rows(self._state, labels=labels, ids=ids, exclude=exclude)
        best = Neighbours.none(len(queries))
        for (segment, first_row), mask in zip(self._state, allowed, strict=True):
            with damage_named(segment.folder):
                for found in nearest(
                    segment, queries, asked, sides=sides, combine=combine, means=means, mask=mask,
                    threads=threads,
                ):  # fmt: skip
                    best = best.merged(found.shifted(first_row), asked)
        if values is not None:
            best = reranked(self._state, best, values, sides=sides, combine=combine, k=k)
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
            combine: as in `search`, but not `"centred"`, whose distances no radius fits.
            query_modality: as in `search`.
            labels: as in `search`.
            ids: as in `search`.
            exclude: as in `search`.

        Returns:
            One result for each query, nearest first, equally distant items in the order of their rows.

        Raises:
            CodeIndexError: as in `search`.
        """
        queries = self.check_queries(query_codes)
        sides = counted_sides(combine, query_modality)
        if combine == "centred":
            raise CodeIndexError(
                "combine must be nearest, mean or cross for a radius, but it is 'centred'; use search"
            )
        if not radius >= 0:  # nor NaN
            raise CodeIndexError(f"radius must be 0 or more bits, but it is {radius}")
        allowed = allowed_rows(self._state, labels=labels, ids=ids, exclude=exclude)
        results = []
        for number in range(len(queries)):
            rows, distances = [], []
            for first, block, mask in self._all_distances(
                queries[number : number + 1], sides, combine, allowed
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
            `(n_query, n_row)` float32, in bits, in halves for the mean, in 1/512 for `"centred"`; infinite
                for deleted items.

        Raises:
            CodeIndexError: as in `search`.
        """
        queries = self.check_queries(query_codes)
        sides = counted_sides(combine, query_modality)
        result = np.full((len(queries), int(self._state.first_row[-1])), np.inf, np.float32)
        for first, block, mask in self._all_distances(queries, sides, combine, allowed_rows(self._state)):
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
        return self._state.rows_of([name])[0]

    def codes_of(self, name: str) -> dict[Side, PackedCodes]:
        """Return the codes of an item, to search for what is like it.

        Args:
            name: its id.

        Returns:
            One row of codes for each modality that the item has.

        Raises:
            CodeIndexError: if no item has this id.
        """
        segment, row = self._state.locate(self.row_of(name))
        codes: dict[Side, PackedCodes] = {}
        for side in SIDES:
            for group in groups_with(side):
                place = np.searchsorted(segment.rows[group], row)
                if place < len(segment.rows[group]) and segment.rows[group][place] == row:
                    codes[side] = segment.codes(side, group)[int(place) : int(place) + 1]
        return codes

    def values_of(self, name: str) -> dict[Side, NDArray[np.float32]]:
        """Return the network outputs of an item, scaled to length 1, to re-rank what is like it.

        Args:
            name: its id.

        Returns:
            `(1, value_width)` float32 for each modality that the item has; empty where none are
                kept.

        Raises:
            CodeIndexError: if no item has this id.
        """
        segment, row = self._state.locate(self.row_of(name))
        if not self.keeps_values:
            return {}
        values = {side: segment.values(side, np.array([row])) for side in SIDES}
        return {side: array for side, array in values.items() if not np.isnan(array).any()}

    def codes(self, side: Side) -> tuple[PackedCodes, NDArray[np.int64]]:
        """Return all codes of one modality, to hand them to another engine.

        Args:
            side: `"image"` or `"text"`.

        Returns:
            The codes of the live items that have one, in the order of their rows, and these rows, `(n,)`
                int64.

        Raises:
            CodeIndexError: if no item has one.
        """
        words, rows = [], []
        for segment, first_row in self._state:
            for group in groups_with(side):
                found = segment.rows[group]
                live = np.ones(len(found), bool) if segment.deleted is None else ~segment.deleted[found]
                if live.any():
                    words.append(segment.codes(side, group).words[live])
                    rows.append(found[live] + first_row)
        if not rows:
            raise CodeIndexError(f"no item of this index has {'an' if side == 'image' else 'a'} {side} code")
        row = np.concatenate(rows)
        order = np.argsort(row)
        return PackedCodes(np.concatenate(words)[order], self.bits), row[order]

    def id(self, row: int) -> str:
        """Return the id of an item.

        Args:
            row: its row.

        Returns:
            The id.

        Raises:
            CodeIndexError: if there is no such row.
        """
        segment, local = self._state.locate(row)
        return segment.id(local)

    def payload(self, row: int) -> dict[str, Any]:
        """Return the payload of an item.

        Args:
            row: its row.

        Returns:
            The JSON object that was given when it was added.

        Raises:
            CodeIndexError: if there is no such row.
        """
        segment, local = self._state.locate(row)
        return segment.payload(local)

    def labels(self, row: int) -> tuple[str, ...]:
        """Return the labels of an item.

        Args:
            row: its row.

        Returns:
            Their names.

        Raises:
            CodeIndexError: if there is no such row.
        """
        segment, local = self._state.locate(row)
        bits = np.unpackbits(segment.labels[local], count=len(self.label_names))
        return tuple(name for name, bit in zip(self.label_names, bits, strict=True) if bit)

    @property
    def state(self) -> IndexState:
        """The opened state."""
        return self._state

    def check_queries(self, given: PackedCodes | ArrayLike) -> PackedCodes:
        """Return codes of queries packed, as `search` takes them.

        Args:
            given: `(n_query, bits)` of any numeric dtype, or PackedCodes.

        Returns:
            The same codes, packed.

        Raises:
            CodeIndexError: if they are no codes, or of another length.
        """
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

    @cached_property
    def _ones(self) -> dict[Side, tuple[NDArray[np.int64], int]]:
        return count_ones(self._state)

    def _means(self, combine: Combine, queries: PackedCodes) -> dict[Side, NDArray[np.float32]] | None:
        """What `"centred"` takes from distances to each modality, `(n_query,)`; None for the others."""
        return mean_distances(self._ones, queries) if combine == "centred" else None

    def _all_distances(
        self,
        queries: PackedCodes,
        sides: tuple[Side, ...],
        combine: Combine,
        allowed: list[NDArray[np.bool_] | None],
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
        """Pieces of the rows in order: first row, `(n_query, n)` distances, `(n,)` which may be found."""
        means = self._means(combine, queries)
        for (segment, first_row), mask in zip(self._state, allowed, strict=True):
            with damage_named(segment.folder):
                for start, block, inside in all_distances(
                    segment, queries, sides=sides, combine=combine, means=means, mask=mask
                ):
                    yield first_row + start, block, inside
