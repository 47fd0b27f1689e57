"""What a server lets a client do: so many requests a second, so large an upload, so many pixels."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENTS = 10_000  # remembered at a time


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server.

    Args:
        requests: searches a second of one client, with twice as many at once.
        upload: bytes of an uploaded picture.
        pixels: of an uploaded picture.
        results: items of one answer.
    """

    requests: float = 20
    upload: int = 10 << 20
    pixels: int = 40_000_000
    results: int = 200


@dataclass
class RateLimit:
    """A bucket of tokens for each client, filled at a steady rate.

    Args:
        rate: tokens a second; the bucket holds twice as many, at least one.
        now: a clock.
    """

    rate: float
    now: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, client: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        size = max(1.0, 2 * self.rate)
        with self._lock:
            now = self.now()
            tokens, then = self._buckets.pop(client, (size, now))
            tokens = min(size, tokens + (now - then) * self.rate)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / self.rate
            self._buckets[client] = (tokens if wait else tokens - 1, now)
            if len(self._buckets) > _CLIENTS:
                self._buckets.popitem(last=False)
        return wait
