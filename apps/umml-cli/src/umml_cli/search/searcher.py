"""A model and an index together: what answers a query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cmh_metrics import PackedCodes, pack_codes, unpack_codes

from umml_cli.errors import UserError
from umml_cli.search.queries import encode_picture, encode_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cmh_search import CodeIndex, Combine, FaissSearch, SearchResult
    from cmh_train import Model
    from numpy.typing import NDArray
    from PIL import Image

Side = Literal["image", "text"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is looked for, encoded.

    Args:
        codes: one row of codes, or network outputs.
        values: `(1, bits)` float32 network outputs, where they are known.
        modality: of the query.
        like: the id of the item that it is, or None.
        remark: what a user should know of it, or None.
    """

    codes: PackedCodes | NDArray[np.float32]
    values: NDArray[np.float32] | None
    modality: Side
    like: str | None = None
    remark: str | None = None

    def hexadecimal(self) -> str:
        """The code as the scripts of `umml export` take it, first bit highest."""
        packed = self.codes if isinstance(self.codes, PackedCodes) else pack_codes(self.codes)
        return np.packbits(unpack_codes(packed) > 0).tobytes().hex()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found.

    Args:
        items: as `cmh_search.SearchResult.items` gives them.
        remark: what a user should know of the query, or None.
    """

    items: list[dict[str, Any]]
    remark: str | None


@dataclass(frozen=True, kw_only=True)
class Approximate:
    """Lists of faiss that are searched in place of all codes.

    Args:
        lists: the lists.
        probes: into how many a search looks.
        recall: share of the ten nearest that it finds, with codes of the index's items as queries.
    """

    lists: FaissSearch
    probes: int
    recall: float

    @property
    def says(self) -> str:
        """What a user should know of it."""
        return (
            f"approximate search: faiss looks into {self.probes} of {self.lists.lists} lists; recall@10 "
            f"{self.recall:.3f}, measured with codes of its own items, one bit in 16 flipped, as queries"
        )


class Searcher:
    """Answers queries with an index, and a model for words and pictures.

    Args:
        index: the opened index.
        model: the model that made it; None: only items of the index can be looked for.
        approximate: lists of this state of the index, to be searched in place of all codes.

    Raises:
        UserError: if another model made the index.
    """

    def __init__(self, index: CodeIndex, model: Model | None, approximate: Approximate | None = None) -> None:
        self.index = index
        self.model = model
        self.approximate = approximate
        if model is not None:
            check_same_model(index, model)

    @property
    def says(self) -> str:
        """How exact the answers are."""
        return "exact search" if self.approximate is None else self.approximate.says

    def words(self, words: str) -> Query:
        """Encode words."""
        outputs, remark = encode_words(self._model(), words)
        return Query(codes=outputs, values=outputs, modality="text", remark=remark)

    def picture(self, picture: Path | Image.Image) -> Query:
        """Encode a picture."""
        outputs = encode_picture(self._model(), picture)
        return Query(codes=outputs, values=outputs, modality="image")

    def like(self, name: str) -> Query:
        """Take an item of the index as the query: its image where it has one, else its text."""
        codes = self.index.codes_of(name)
        modality: Side = "image" if "image" in codes else "text"
        return Query(
            codes=codes[modality],
            values=self.index.values_of(name).get(modality),
            modality=modality,
            like=name,
        )

    def search(
        self,
        query: Query,
        *,
        k: int,
        combine: Combine = "nearest",
        labels: Sequence[str] | None = None,
        rerank: int | None = None,
    ) -> Answer:
        """Find what is nearest to a query, without the query's own item."""
        if rerank is not None and not self.index.keeps_values:
            raise UserError(
                f"{self.index.path} keeps no network outputs to re-rank by; make it with "
                "umml index --keep-outputs float16."
            )
        search: Callable[..., SearchResult] = self.index.search
        if self.approximate is not None:
            search = partial(self.approximate.lists.search, probes=self.approximate.probes)
        found = search(
            query.codes,
            k=k,
            combine=combine,
            query_modality=query.modality,
            labels=labels or None,
            exclude=None if query.like is None else [query.like],
            rerank=rerank,
            query_values=None if rerank is None else query.values,
        )
        return Answer(items=found.items(), remark=query.remark)

    def _model(self) -> Model:
        if self.model is None:
            raise UserError(
                f"{self.index.path} has no model beside it to encode words and pictures; give the model that "
                "made it."
            )
        return self.model


def check_same_model(index: CodeIndex, model: Model) -> None:
    """Refuse an index whose codes another model made: its distances would mean nothing.

    Raises:
        UserError: if so.
    """
    if index.bits != model.bits:
        raise UserError(
            f"{index.path} has codes of {index.bits} bits, but the model makes {model.bits}; "
            "make the index anew with umml index."
        )
    made_by = index.remarks.get("model", {})
    if made_by.get("digest", model.digest) != model.digest:
        raise UserError(
            f"{index.path} was made by another model ({made_by.get('method')}, weights "
            f"{made_by['digest'][:12]}; this one is {model.description.method}, {model.digest[:12]}); "
            "make the index anew with umml index, or give the model that made it."
        )
