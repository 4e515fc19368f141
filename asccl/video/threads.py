"""Decode before and encode behind the work in between: one thread each, a few frames in flight, errors passed on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
QUEUE_SIZE = 6  # items between two threads: enough to even out, few enough for large frames


class _End:
    """Marks the end of a row of items, and why it ended."""

    def __init__(self, error: BaseException | None = None):
        self.error = error


def prefetch(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items, made in another thread. Close the iterator to stop early; errors appear where awaited."""
    waiting: queue.Queue[T | _End] = queue.Queue(QUEUE_SIZE)
    stop = threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
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
        except BaseException as caught:  # handed to the thread that waits
            error = caught
        put(_End(error))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()


class BackgroundWriter(Generic[T]):
    """Hands items to `consume` in another thread, in order. Use as a context manager: leaving it waits for the rest.

    An error of the consumer is raised by the next `put`, or on leaving.
    """

    def __init__(self, consume: Callable[[T], None]):
        self._consume = consume
        self._waiting: queue.Queue[T | _End] = queue.Queue(QUEUE_SIZE)
        self._error: BaseException | None = None
        self._dropping = False
        self._thread = threading.Thread(target=self._work, name="behind", daemon=True)

    def put(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is not None or self._dropping:
                continue
            try:
                self._consume(item)
            except BaseException as caught:  # handed to the thread that puts
                self._error = caught

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._dropping = kind is not None
        self._waiting.put(_End())
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error
