"""The searches that the page of `umml serve` makes; any other program may make them, too."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

import cmh_features
import numpy as np
from cmh_search import CodeIndexError
from fastapi import HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from umml_cli.errors import UserError
from umml_cli.search.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

    from umml_cli.search import searcher as searching
    from umml_cli.search.limits import Limits
    from umml_cli.search.searcher import Searcher

_SHOWN_AT_FIRST = 24
_BODY_SECONDS = 30  # a client that sends nothing holds its connection no longer
_PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}

Words = Annotated[str | None, Query(max_length=10_000, description="What to look for.")]
Like = Annotated[str | None, Query(max_length=10_000, description="Id of an item of the index.")]
ItemId = Annotated[str, Query(alias="id", max_length=10_000, description="Id of an item of the index.")]
Number = Annotated[int, Query(ge=1, description="How many items.")]
Labels = Annotated[list[str] | None, Query(description="Only items with one of these labels.")]
Combine = Annotated[
    Literal["nearest", "mean", "cross"],
    Query(description="Distance of an item with both codes: the smaller, the mean, the other modality's."),
]
Rerank = Annotated[
    int | None, Query(ge=1, le=100, description="Re-rank this many times k nearest items by network outputs.")
]


class LiveSearcher:
    """A searcher whose index is opened anew when a writer has changed it.

    Args:
        searcher: the searcher to begin with.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._pictures = Pictures(searcher.index)
        self._changed = self._stamp()
        self._lock = threading.Lock()
        self.encoding = threading.Lock()  # one item at a time goes through the networks

    def now(self) -> tuple[Searcher, Pictures]:
        """Return a searcher of the newest state, and its pictures."""
        if (stamp := self._stamp()) != self._changed:
            with self._lock:
                if stamp != self._changed:
                    index = self._searcher.index.refresh()
                    self._searcher = type(self._searcher)(index, self._searcher.model)  # exact: lists are old
                    self._pictures, self._changed = Pictures(index), stamp
        return self._searcher, self._pictures

    def _stamp(self) -> tuple[int, int]:
        path = self._searcher.index.path
        try:
            status = (path / "index.json").stat()
        except OSError:
            raise UserError(f"{path} is gone; make the index again and start the server again.") from None
        return status.st_mtime_ns, status.st_ino


class Api:
    """The endpoints.

    Args:
        searcher: what answers.
        limits: what a client may do.
        unable: for "text" and "image" why they cannot be asked for, None where they can.
    """

    def __init__(self, searcher: Searcher, limits: Limits, unable: Mapping[str, str | None]) -> None:
        self._live = LiveSearcher(searcher)
        self._limits = limits
        self._unable = dict(unable)

    def add_to(self, app: FastAPI) -> None:
        """Register the endpoints."""
        app.get("/healthz", summary="Say that the server answers")(self.health)
        app.get("/api/index", summary="What can be searched, and how")(self.about)
        app.get("/api/sample", summary="Some items, spread over the index")(self.sample)
        app.get("/api/search", summary="Search by words, or by an item of the index")(self.search)
        app.post(
            "/api/search",
            summary="Search by a picture, which is the body of the request",
            openapi_extra=_PICTURE_BODY,
        )(self.search_by_picture)
        app.get("/picture", summary="A small picture of an item", response_class=Response)(self.picture)

    def health(self) -> dict[str, Any]:
        """Answer with the number of items."""
        return {"status": "ok", "items": len(self._live.now()[0].index)}

    def about(self) -> dict[str, Any]:
        """Describe the index and what can be asked."""
        now, _ = self._live.now()
        index = now.index
        return {
            "name": index.remarks.get("data", {}).get("name") or index.path.name,
            "items": len(index),
            "bits": index.bits,
            "counts": index.counts,
            "labels": list(index.label_names),
            "rerank": index.keeps_values,
            "search": now.says,
            "exact": now.approximate is None,
            "unable": self._unable,
            "upload_limit": self._limits.upload,
        }

    def sample(self) -> dict[str, Any]:
        """Return some items, to begin with."""
        now, pictures = self._live.now()
        index, rows = now.index, now.index.rows
        chosen = rows[np.linspace(0, len(rows) - 1, min(_SHOWN_AT_FIRST, len(rows))).astype(np.int64)]
        items = [
            {
                "id": index.id(row),
                "row": row,
                "labels": list(index.labels(row)),
                "payload": index.payload(row),
            }
            for row in map(int, chosen)
        ]
        return {"remark": None, "items": [_with_picture(item, pictures) for item in items]}

    def search(  # noqa: PLR0917 - called by name
        self,
        words: Words = None,
        like: Like = None,
        k: Number = 24,
        label: Labels = None,
        combine: Combine = "nearest",
        rerank: Rerank = None,
    ) -> dict[str, Any]:
        """Find what is nearest to words, or to an item."""
        if (words is None) == (like is None):
            raise UserError("Give one thing to look for: words or like.")
        now, pictures = self._live.now()
        if like is not None:
            query = now.like(like)
        else:
            with self._live.encoding:
                query = now.words(words or "")
        return self._answer(now, pictures, query, k=k, combine=combine, labels=label, rerank=rerank)

    async def search_by_picture(
        self,
        request: Request,
        k: Number = 24,
        label: Labels = None,
        combine: Combine = "nearest",
        rerank: Rerank = None,
    ) -> dict[str, Any]:
        """Find what is nearest to a picture."""
        content = await _read(request, self._limits.upload)

        def find() -> dict[str, Any]:
            now, pictures = self._live.now()
            with self._live.encoding:
                try:
                    picture = cmh_features.open_image(content, max_pixels=self._limits.pixels)
                except cmh_features.UnreadableItemError as error:
                    raise UserError(f"The picture {error}.") from None
                query = now.picture(picture)
            return self._answer(now, pictures, query, k=k, combine=combine, labels=label, rerank=rerank)

        return await run_in_threadpool(find)

    def picture(self, name: ItemId) -> Response:
        """Return a small picture of an item; by its id, because a writer may number rows anew."""
        now, pictures = self._live.now()
        try:
            row = now.index.row_of(name)
        except CodeIndexError as error:
            raise HTTPException(404, str(error)) from None
        small = pictures.small({"id": name, "payload": now.index.payload(row)})
        if small is None:
            raise HTTPException(404, "this item has no picture that can be shown")
        return Response(small, media_type="image/webp", headers={"Cache-Control": "private, max-age=300"})

    def _answer(
        self, now: Searcher, pictures: Pictures, query: searching.Query, *, k: int, **how: Any
    ) -> dict[str, Any]:
        if k > self._limits.results:
            raise UserError(f"k must be at most {self._limits.results}, but it is {k}.")
        found = now.search(query, k=k, **how)
        return {"remark": found.remark, "items": [_with_picture(item, pictures) for item in found.items]}


def _with_picture(item: dict[str, Any], pictures: Pictures) -> dict[str, Any]:
    return {**item, "picture": f"/picture?id={quote(item['id'], safe='')}" if pictures.has(item) else None}


async def _read(request: Request, limit: int) -> bytes:
    """Read a body of at most so many bytes; no more of a longer one is taken."""
    too_long = HTTPException(413, f"The picture must have at most {limit / (1 << 20):g} MB.")
    with contextlib.suppress(ValueError):
        if int(request.headers.get("content-length", 0)) > limit:
            raise too_long
    content = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > limit:
                    raise too_long
    except TimeoutError:
        raise HTTPException(408, f"The picture must arrive within {_BODY_SECONDS} seconds.") from None
    return bytes(content)
