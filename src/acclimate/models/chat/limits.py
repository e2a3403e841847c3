"""So many requests and so many tokens a minute, and no more."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

_MINUTE = 60.0


class RateLimit:
    """Holds callers back so that any minute sees at most so many requests and tokens.

    A sliding window: a request waits until those of the last 60 seconds, with it, keep within both limits. A single request of more
    tokens than the limit waits for an empty minute.

    Args:
        requests: a minute; 0 for no limit.
        tokens: a minute, in and out; 0 for no limit.
        clock, sleep: of the time; for tests.
    """

    def __init__(
        self,
        requests: int,
        tokens: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._requests, self._tokens = requests, tokens
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._past: collections.deque[tuple[float, int]] = collections.deque()

    def wait(self, tokens: int) -> None:
        """Return when a request of about so many tokens may be sent; it then counts."""
        with self._lock:  # held while waiting: requests are let through one by one, in order
            while (pause := self._pause(tokens)) > 0:
                self._sleep(pause)
            self._past.append((self._clock(), tokens))

    def _pause(self, tokens: int) -> float:
        """Seconds until the oldest request of the last minute leaves it; 0 where there is room."""
        now = self._clock()
        while self._past and now - self._past[0][0] >= _MINUTE:
            self._past.popleft()
        full = self._requests and len(self._past) >= self._requests
        heavy = self._tokens and self._past and sum(size for _, size in self._past) + tokens > self._tokens
        return self._past[0][0] + _MINUTE - now if full or heavy else 0.0
