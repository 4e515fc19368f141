"""Who still waits for the messages of a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

MAX_NAMES = 10_000


class Listeners:
    """Counts the open message streams of each listener: a session or an address.

    A job whose listeners have had no stream for a while works for nobody: the page was closed, or a program asked for
    work and never for its result. A program can name its session when it asks for work and only the event when it waits
    for the result; its address is then the listener.

    Args:
        clock: returns monotonic seconds.

    Attributes:
        clock: the same, for those who ask `silent_seconds`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._last: dict[str, float] = {}  # time at which the last stream of a listener ended

    @contextmanager
    def listening(self, *names: str) -> Iterator[None]:
        """Count a stream of some listeners until the block ends."""
        with ExitStack() as stack:
            for name in names:
                self._change(name, 1)
                stack.callback(self._change, name, -1)
            yield

    def silent_seconds(self, names: tuple[str, ...], since: float) -> float:
        """Return for how long nobody has listened.

        Args:
            names: listeners; one of them is enough.
            since: the time of the clock from which on somebody should listen.
        """
        with self._lock:
            if any(name in self._counts for name in names):
                return 0.0
            return self.clock() - max(since, *(self._last.get(name, 0.0) for name in names))

    def _change(self, name: str, change: int) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + change
            if not self._counts[name]:
                del self._counts[name]
                self._last.pop(name, None)
                self._last[name] = self.clock()
                if len(self._last) > MAX_NAMES:
                    del self._last[next(iter(self._last))]
