"""Approximate search for large indexes: the binary inverted file of faiss, with its recall measured."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cmh_metrics import unpack_codes

from cmh_search._combine import counted_sides
from cmh_search._errors import CodeIndexError
from cmh_search._exports.code_rows import packed_bytes, padded_bits, sides_present
from cmh_search._exports.engine import needed
from cmh_search._results import Neighbours, SearchResult

if TYPE_CHECKING:
    from os import PathLike

    from cmh_metrics import PackedCodes
    from numpy.typing import ArrayLike, NDArray

    from cmh_search._combine import Combine
    from cmh_search._index import CodeIndex
    from cmh_search._segment import Side

_SAMPLE_PER_LIST = 64  # codes that the lists are learned from


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
        self.index = index
        self._parts: dict[str, _Part] = {}
        kept = None if folder is None else Path(folder)
        stamp = json.dumps({"lists": lists, **asdict(index.manifest)}, sort_keys=True)
        current = kept is not None and _read(kept / "stamp.json") == stamp
        sides = sides_present(index)
        packed = {side: packed_bytes(index, side) for side in sides}
        for side, (codes, rows) in packed.items():
            other = next((packed[one][1] for one in sides if one != side), np.empty(0, np.int64))
            paired = np.isin(rows, other)
            for name, chosen in ((f"{side}-alone", ~paired), (f"{side}-paired", paired)):
                if not chosen.any():
                    continue
                if kept is not None and current:
                    built = self._faiss.read_index_binary(str(kept / f"{name}.ivf"))
                else:
                    built = self._build(codes[chosen], lists)
                self._parts[name] = _Part(built, rows[chosen], side, paired=name.endswith("paired"))
        if kept is not None and not current:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "stamp.json").unlink(missing_ok=True)
            for name, part in self._parts.items():
                self._faiss.write_index_binary(part.built, str(kept / f"{name}.ivf"))
            (kept / "stamp.json").write_text(stamp, encoding="utf-8")  # last: what has it is whole

    def search(
        self,
        query_codes: PackedCodes | ArrayLike,
        *,
        k: int = 10,
        probes: int = 64,
        combine: Combine = "nearest",
        query_modality: Side | None = None,
    ) -> SearchResult:
        """Find about the k nearest items of every query.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype, as in `CodeIndex.search`.
            k: how many items, `>= 1`.
            probes: lists to look into; all of them make the search exact.
            combine: `"nearest"` or `"cross"`, as in `CodeIndex.search`; by lists there is no `"mean"`.
            query_modality: as in `CodeIndex.search`.

        Returns:
            The items found; their distances are true, nearer ones may be missing.

        Raises:
            CodeIndexError: as in `CodeIndex.search`.
        """
        if combine == "mean":
            raise CodeIndexError(
                "combine must be nearest or cross here, but it is 'mean'; use CodeIndex.search"
            )
        for name, value in (("k", k), ("probes", probes)):
            if value < 1:
                raise CodeIndexError(f"{name} must be at least 1, but it is {value}")
        sides = counted_sides(combine, query_modality)
        queries = np.packbits(unpack_codes(self.index.check_queries(query_codes)) > 0, axis=1)
        best = Neighbours.none(len(queries))
        for part in self._parts.values():
            if part.paired and part.side not in sides:  # the other code of these items counts
                continue
            part.built.nprobe = min(probes, part.built.nlist)
            found, places = part.built.search(queries, min(k, len(part.rows)))
            distances = np.where(places < 0, np.float32(np.inf), found).astype(np.float32)
            best = best.merged(Neighbours(distances, np.where(places < 0, -1, part.rows[places])), k)
        return SearchResult(distances=best.distances, rows=best.rows, scores=None, _index=self.index)

    def recall(self, query_codes: PackedCodes | ArrayLike, *, k: int = 10, probes: int = 64) -> float:
        """Return which share of the k nearest a search finds, counting equally distant items alike.

        Args:
            query_codes: `(n_query, bits)` of any numeric dtype; queries like those that will come.
            k: how many items.
            probes: lists to look into.

        Returns:
            From 0 to 1.

        Raises:
            CodeIndexError: as in `search`.
        """
        exact = self.index.search(query_codes, k=k).distances
        found = self.search(query_codes, k=k, probes=probes).distances
        width = min(found.shape[1], exact.shape[1])
        return float((found[:, :width] <= exact[:, -1:]).sum() / exact.size)

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


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
