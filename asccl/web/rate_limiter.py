"""Limits on the number of requests. They are counted in memory; no address is written to the disk."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock


class RateLimiter:
    """Token buckets, one for each key. The keys that were used longest ago are forgotten.

    Args:
        rate: requests per second after the burst.
        burst: requests at once.
        max_keys: number of keys in memory.
        clock: returns monotonic seconds.
    """

    def __init__(self, rate: float, burst: int, max_keys: int = 10_000, clock: Callable[[], float] = time.monotonic):
        self.rate, self.burst, self.max_keys, self._clock = rate, burst, max_keys, clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, time of the last request

    def allows(self, key: str, cost: int = 1) -> bool:
        """Count a request and return whether it is within the limit.

        Args:
            key: as in `charge`.
            cost: number of requests that it counts as. One must be left; the others are taken from later ones.
        """
        with self._lock:
            tokens = self._tokens(key)
            allowed = tokens >= 1
            self._keep(key, tokens - cost * allowed)
            return allowed

    def charge(self, key: str, requests: float) -> None:
        """Count further requests of a key. It owes at most as many as it may send at once.

        Args:
            key: whose requests are counted together, for example an address.
            requests: their number.
        """
        with self._lock:
            self._keep(key, max(self._tokens(key) - requests, -float(self.burst)))

    def _tokens(self, key: str) -> float:
        tokens, last = self._buckets.get(key, (float(self.burst), 0.0))
        return min(self.burst, tokens + (self._clock() - last) * self.rate)

    def _keep(self, key: str, tokens: float) -> None:
        self._buckets.pop(key, None)
        self._buckets[key] = (tokens, self._clock())
        if len(self._buckets) > self.max_keys:
            self._buckets.popitem(last=False)
