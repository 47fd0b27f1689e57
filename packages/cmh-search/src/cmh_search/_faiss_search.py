"""Approximate search for large indexes: the binary inverted file of faiss, with its recall measured."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_metrics import PackedCodes

from cmh_search._combine import counted_sides
from cmh_search._errors import CodeIndexError, check_whole
from cmh_search._exports.code_rows import padded_bits, sides_present
from cmh_search._exports.engine import needed
from cmh_search._filters import allowed_rows
from cmh_search._nearest import GATHERED_SHARE
from cmh_search._rerank import check_query_values
from cmh_search._rerank import rerank as reranked
from cmh_search._results import Neighbours, SearchResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from cmh_search._combine import Combine
    from cmh_search._index import CodeIndex
    from cmh_search._segment import Side

_SAMPLE_PER_LIST = 64  # codes that the lists are learned from
_RECALL_QUERIES = 100
_TURNED_BITS = 16  # one bit of so many is turned in a query made of an item's code


@dataclass(frozen=True)
class _Part:
    """The codes of one modality, of the items that have it alone, or of those that have both.

    Args:
        built: an `IndexBinaryIVF`.
        rows: `(n,)` int64 rows of the index.
        side: the modality.
        paired: whether the items have both.
    """

    built: Any
    rows: NDArray[np.int64]
    side: Side
    paired: bool


class FaissSearch:
    """Searches an index approximately, through faiss; of use from about ten million codes on.

    The codes are sorted into lists around centres; a query looks into the lists of the nearest centres only.
    It shows the state that the index had when it was opened. Needs the extra `faiss`.

    Args:
        index: the opened index.
        lists: how many lists for the codes of one kind; None: the square root of their number.
        folder: where to keep what is built, and to read it from when the index has not changed since; None:
            nowhere.

    Raises:
        CodeIndexError: if faiss is missing, or the index holds nothing.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from cmh_search import CodeIndex, IndexWriter
        >>> folder = tempfile.mkdtemp() + "/boats"
        >>> _ = CodeIndex.create(folder, bits=16)
        >>> with IndexWriter(folder) as writer:
        ...     codes = np.random.default_rng(0).normal(size=(500, 16))
        ...     writer.add(ids=[str(number) for number in range(500)], image_codes=codes)
        >>> approximate = FaissSearch(CodeIndex(folder))  # doctest: +SKIP
        >>> approximate.recall(codes[:20], probes=22)  # doctest: +SKIP
        1.0
    """

    def __init__(
        self, index: CodeIndex, *, lists: int | None = None, folder: str | PathLike[str] | None = None
    ) -> None:
        self._faiss = needed("faiss", extra="faiss")
        if lists is not None:
            check_whole(lists, "lists")
        self.index = index
        self._parts: dict[str, _Part] = {}
        self._sample: list[PackedCodes] = []
        kept = None if folder is None else Path(folder)
        sides = sides_present(index)
        packed = {side: index.codes(side) for side in sides}
        stamp = json.dumps({"lists": lists, "codes": _digest(packed)})
        current = kept is not None and _read(kept / "stamp.json") == stamp
        for side, (codes, rows) in packed.items():
            self._sample.append(codes[np.linspace(0, len(codes) - 1, _RECALL_QUERIES).astype(np.int64)])
            other = next((packed[one][1] for one in sides if one != side), np.empty(0, np.int64))
            paired = np.isin(rows, other)
            for name, chosen in ((f"{side}-alone", ~paired), (f"{side}-paired", paired)):
                if not chosen.any():
                    continue
                if kept is not None and current:
                    built = self._read_lists(kept / f"{name}.ivf", int(chosen.sum()))
                else:
                    built = self._build(codes[chosen].as_bytes(), lists)
                self._parts[name] = _Part(built, rows[chosen], side, paired=name.endswith("paired"))
        if kept is not None and not current:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "stamp.json").unlink(missing_ok=True)
            for name, part in self._parts.items():
                self._faiss.write_index_binary(part.built, str(kept / f"{name}.ivf"))
            (kept / "stamp.json").write_text(stamp, encoding="utf-8")  # last: what has it is whole

    @property
    def lists(self) -> int:
        """The most lists that the codes of one kind are sorted into."""
        return max(int(part.built.nlist) for part in self._parts.values())

    def search(
        self,
        query_codes: PackedCodes | ArrayLike,
        *,
        k: int = 10,
        probes: int = 64,
        combine: Combine = "nearest",
        query_modality: Side | None = None,
        labels: Iterable[str] | None = None,
        ids: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        rerank: int | None = None,
        query_values: ArrayLike | None = None,
    ) -> SearchResult:
        """Find about the k nearest items of every query.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, as in `CodeIndex.search`.
            k: how many items, `>= 1`.
            probes: lists to look into; all of them make the search exact.
            combine: `"nearest"` or `"cross"`, as in `CodeIndex.search`; by lists there is no
                `"mean"` and no `"centred"`.
            query_modality: as in `CodeIndex.search`.
            labels: as in `CodeIndex.search`; where they leave few items, these are searched exactly.
            ids: likewise.
            exclude: likewise.
            rerank: as in `CodeIndex.search`.
            query_values: `(n_query, value_width)` float network outputs of the queries.

        Returns:
            The items found; their distances are true, nearer ones may be missing. There are as many as an
                exact search finds: a query whose lists hold too few is searched exactly.

        Raises:
            CodeIndexError: as in `CodeIndex.search`.
        """
        if combine in {"mean", "centred"}:
            raise CodeIndexError(
                f"combine must be nearest or cross here, but it is {combine!r}; use the exact search"
            )
        check_whole(k, "k")
        check_whole(probes, "probes")
        sides = counted_sides(combine, query_modality)
        queries = self.index.check_queries(query_codes)
        values = check_query_values(self.index.state, rerank, query_values, len(queries))
        filters: dict[str, Any] = {"labels": labels, "ids": ids, "exclude": exclude}
        for name, given in filters.items():  # read once, used twice
            if given is not None:
                filters[name] = [given] if isinstance(given, str) else list(given)
        mask = self._mask(filters)
        n_allowed = len(self.index) if mask is None else int(mask.sum())
        asked = min(k * (rerank or 1), n_allowed)
        exactly = np.ones(len(queries), bool)
        best = Neighbours.none(len(queries))
        if n_allowed > GATHERED_SHARE * len(self.index):
            best = self._nearest(queries, asked, probes, sides, mask).padded(asked)
            exactly = np.asarray((best.rows < 0).any(axis=1))
        if exactly.any() and asked:
            exact = self.index.search(
                queries[exactly], k=asked, combine=combine, query_modality=query_modality, **filters
            )
            best = best.padded(asked).replaced(exactly, exact.distances, exact.rows)
        if values is not None:
            best = reranked(self.index.state, best, values, sides=sides, combine=combine, k=k)
        return SearchResult(distances=best.distances, rows=best.rows, scores=best.scores, _index=self.index)

    def _mask(self, filters: dict[str, Any]) -> NDArray[np.bool_] | None:
        """Which rows may be found; None: all that are live."""
        if all(given is None for given in filters.values()):
            return None
        state = self.index.state
        masks = zip(state.segments, allowed_rows(state, **filters), strict=True)
        return np.concatenate([
            np.ones(len(segment), bool) if mask is None else mask for segment, mask in masks
        ])  # fmt: skip

    def _nearest(
        self,
        queries: PackedCodes,
        k: int,
        probes: int,
        sides: tuple[Side, ...],
        mask: NDArray[np.bool_] | None,
    ) -> Neighbours:
        """What the lists hold; an item comes once, with the smaller distance of its codes found."""
        codes = queries.as_bytes()
        best = Neighbours.none(len(queries))
        for part in self._parts.values():
            if part.paired and part.side not in sides:  # the other code of these items counts
                continue
            part.built.nprobe = min(probes, part.built.nlist)
            fetched = k
            while True:
                fetched = min(fetched, len(part.rows))
                distances, places = part.built.search(codes, fetched)
                rows = np.where(places < 0, -1, part.rows[places])
                usable = rows >= 0 if mask is None else (rows >= 0) & mask[rows]
                enough = (usable.sum(axis=1) >= k) | (places[:, -1] < 0)
                if enough.all() or fetched == len(part.rows):
                    break
                fetched *= 4
            found = Neighbours(
                np.where(usable, distances, np.inf).astype(np.float32), np.where(usable, rows, -1)
            )
            best = best.merged(found.best(k), k)
        return best

    def recall(
        self, query_codes: PackedCodes | ArrayLike | None = None, *, k: int = 10, probes: int = 64
    ) -> float:
        """Return which share of the k nearest a search finds, counting equally distant items alike.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, queries like those that will come; None: the
                codes of 100 items of each modality, one bit in 16 flipped.
            k: how many items.
            probes: lists to look into.

        Returns:
            From 0 to 1.

        Raises:
            CodeIndexError: as in `search`.
        """
        if query_codes is None:
            query_codes = self._turned_sample()
        exact = self.index.search(query_codes, k=k).distances
        found = self.search(query_codes, k=k, probes=probes).distances
        width = min(found.shape[1], exact.shape[1])
        return float((found[:, :width] <= exact[:, -1:]).sum() / exact.size)

    def _turned_sample(self) -> PackedCodes:
        bits = self.index.bits
        words = np.concatenate([codes.words for codes in self._sample])
        rng = np.random.default_rng(0)
        for row in words:
            for bit in rng.choice(bits, max(1, bits // _TURNED_BITS), replace=False):
                row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        return PackedCodes(words, bits)

    def _read_lists(self, path: Path, n: int) -> Any:
        try:
            built = self._faiss.read_index_binary(str(path))
        except RuntimeError as error:
            raise CodeIndexError(f"{path} cannot be read by faiss ({error}); delete its folder") from None
        if built.ntotal != n or not hasattr(built, "nprobe"):
            raise CodeIndexError(f"{path} does not hold the lists of this index; delete its folder")
        return built

    def _build(self, codes: NDArray[np.uint8], lists: int | None) -> Any:
        n = max(1, min(lists or math.isqrt(len(codes)), len(codes)))
        bits = padded_bits(self.index)
        quantizer = self._faiss.IndexBinaryFlat(bits)
        built = self._faiss.IndexBinaryIVF(quantizer, bits, n)
        built.own_fields = True
        quantizer.this.disown()
        built.cp.min_points_per_centroid = 1
        step = max(1, len(codes) // (n * _SAMPLE_PER_LIST))
        built.train(np.ascontiguousarray(codes[::step]))
        built.add(codes)
        return built


def _digest(packed: dict[Side, tuple[PackedCodes, NDArray[np.int64]]]) -> str:
    """What tells the codes of one state of an index from all others."""
    digest = hashlib.blake2b(digest_size=16)
    for side, (codes, rows) in packed.items():
        digest.update(f"{side} {codes.bits} {len(codes)} ".encode())
        digest.update(codes.words.tobytes())
        digest.update(rows.tobytes())
    return digest.hexdigest()


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
