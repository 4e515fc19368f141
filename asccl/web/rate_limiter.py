"""Limits on the number of requests. They are kept in memory; no address is stored."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock


class RateLimiter:
    """Token buckets, one for each key. The keys that were used longest ago are forgotten.

    Args:
        rate: requests per second after the burst.
        burst: requests at once.
        max_keys: number of keys in memory.
    """

    def __init__(self, rate: float, burst: int, max_keys: int = 10_000):
        self.rate, self.burst, self.max_keys = rate, burst, max_keys
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, time of the last request

    def allows(self, key: str) -> bool:
        """Count a request and return whether it is within the limit."""
        now = time.monotonic()
        with self._lock:
            tokens, last = self._buckets.pop(key, (float(self.burst), now))
            tokens = min(self.burst, tokens + (now - last) * self.rate)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - allowed, now)
            if len(self._buckets) > self.max_keys:
                self._buckets.popitem(last=False)
            return allowed
