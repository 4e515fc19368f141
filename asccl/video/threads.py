"""Decode ahead of the work and encode behind it: one thread each, with a few frames in a queue and errors passed on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
QUEUE_SIZE = 6  # items; enough to even out the speed of two threads, few enough for the memory of large frames
STOP_INTERVAL = 0.1  # seconds between two checks of whether to stop


class _End:
    """End of the items, with the error that ended them, if any."""

    def __init__(self, error: BaseException | None = None):
        self.error = error


def prefetch(items: Iterable[T]) -> Generator[T, None, None]:
    """Iterate over the items in another thread and yield them here.

    Close the generator to stop early. An error of `items` is raised after the items before it.
    """
    ready: queue.Queue[T | _End] = queue.Queue(QUEUE_SIZE)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=STOP_INTERVAL)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        error = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as caught:  # raised again in the consuming thread
            error = caught
        put(_End(error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()


class BackgroundWriter(Generic[T]):
    """Passes items to a function in another thread, in order.

    Use it as a context manager: leaving the block waits for the remaining items. An error of the function is raised by
    the next `put`, or on leaving.

    Args:
        consume: called with each item.
    """

    def __init__(self, consume: Callable[[T], None]):
        self._consume = consume
        self._pending: queue.Queue[T | _End] = queue.Queue(QUEUE_SIZE)
        self._error: BaseException | None = None
        self._discard_rest = False
        self._thread = threading.Thread(target=self._work, name="background-writer", daemon=True)

    def put(self, item: T) -> None:
        """Add an item; wait while the queue is full."""
        if self._error is not None:
            raise self._error
        self._pending.put(item)

    def _work(self) -> None:
        while not isinstance(item := self._pending.get(), _End):
            if self._error is not None or self._discard_rest:
                continue
            try:
                self._consume(item)
            except BaseException as caught:  # raised again in the thread that calls `put`
                self._error = caught

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._discard_rest = kind is not None
        self._pending.put(_End())
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error
