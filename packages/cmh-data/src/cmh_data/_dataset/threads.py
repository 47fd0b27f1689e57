"""Work on blocks in a few threads, with the results in order."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST_CREW = 8


def ordered_map(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item in turn; a few more are under way meanwhile, and no more than that."""
    crew = min(LARGEST_CREW, os.cpu_count() or 1)
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(crew) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > 2 * crew:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for unfinished in ahead:
                unfinished.cancel()
