"""The application of `umml serve`: one page, the searches that it makes, and what guards them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cmh_features
import numpy as np
from cmh_search import CodeIndexError
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse

from umml_cli.errors import UserError
from umml_cli.search.api import Api
from umml_cli.search.limits import Limits, RateLimit
from umml_cli.search.result_page import PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from umml_cli.search.searcher import Searcher

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "serve.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def warm_up(searcher: Searcher) -> dict[str, str | None]:
    """Load the encoders and the search, so that no one waits for them.

    Returns:
        For "text" and "image" why they cannot be asked for, None where they can.
    """
    if len(searcher.index):
        searcher.search(searcher.like(searcher.index.id(int(searcher.index.rows[0]))), k=1)
    blank = cmh_features.open_image(np.full((32, 32, 3), 255, np.uint8))
    return {
        "text": _reason(searcher, "text", lambda: searcher.words("a")),
        "image": _reason(searcher, "image", lambda: searcher.picture(blank)),
    }


def _reason(searcher: Searcher, side: str, ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except UserError as error:
        model = searcher.model
        able = model is not None and side in model.description.encoders
        return None if able else str(error)
    except ValueError as error:
        return str(error)
    return None


def make_app(
    searcher: Searcher,
    *,
    limits: Limits | None = None,
    hosts: Sequence[str] = ("*",),
    unable: Mapping[str, str | None] | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        searcher: what answers.
        limits: what a client may do.
        hosts: names by which the server may be called, against pages of strangers that rename themselves.
        unable: for "text" and "image" why they cannot be asked for, as `warm_up` found.

    Returns:
        The application.
    """
    limits = limits or Limits()
    app = FastAPI(
        title="umml serve",
        description="Search a collection of images and texts by words, by a picture, or by one of its items.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.middleware("http")(_guard(RateLimit(limits.requests)))
    for kind in (UserError, CodeIndexError):
        app.exception_handler(kind)(_explain)
    Api(searcher, limits, unable or {}).add_to(app)
    app.get("/", include_in_schema=False)(lambda: _page("index.html"))
    app.get("/{name}", include_in_schema=False)(_page)
    return app


def _guard(
    rate: RateLimit,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Make what stands before every request: the rate limit, and headers that keep the page to itself."""

    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        wait = 0.0
        if request.url.path.startswith("/api/"):
            wait = rate.take(request.client.host if request.client else "")
        if wait:
            response: Response = JSONResponse(
                {"detail": f"Too many requests; wait {wait:.1f} seconds."},
                status_code=429,
                headers={"Retry-After": str(math.ceil(wait))},
            )
        else:
            response = await call(request)
        response.headers.update(_HEADERS)
        return response

    return guard


async def _explain(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


def _page(name: str) -> Response:
    if name not in _TYPES:
        raise HTTPException(404, "there is no such page")
    return Response((PAGE / name).read_bytes(), media_type=_TYPES[name])
