"""Keep the most recently used results of costly steps, for several threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, TypeVar

Value = TypeVar("Value")


class KeyedCache(Generic[Value]):
    """Values by key, of which the least recently used are dropped.

    Threads that ask for one key at the same time wait for one of them to create the value. The lock is held for the
    bookkeeping alone, so creating one value delays nobody who asks for another.
    """

    def __init__(self, size: int):
        self._size = size
        self._entries: OrderedDict[Hashable, Future[Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, create: Callable[[], Value]) -> Value:
        """Return the value of a key; call `create` where there is none. An error of `create` is not kept.

        Each thread gets the error of its own call: where another one's call fails, it tries again.
        """
        while True:
            with self._lock:
                entry = self._entries.get(key)
                if is_new := entry is None:
                    entry = self._entries[key] = Future()
                self._entries.move_to_end(key)
                while len(self._entries) > self._size:
                    self._entries.popitem(last=False)
            if is_new:
                return self._fill(key, entry, create)
            if entry.exception() is None:  # waits for the other thread
                return entry.result()

    def __contains__(self, key: Hashable) -> bool:
        """Whether the value of a key exists already."""
        with self._lock:
            entry = self._entries.get(key)
        return entry is not None and entry.done()

    def _fill(self, key: Hashable, entry: Future[Value], create: Callable[[], Value]) -> Value:
        try:
            value = create()
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.set_exception(error)
            raise
        entry.set_result(value)
        return value


def file_key(path: Path) -> tuple:
    """Identify a file in its present state: another key once it is replaced or changed."""
    try:
        stat = path.stat()
    except OSError:  # the reader of the file raises the better error
        return (str(path),)
    return (str(path.absolute()), stat.st_mtime_ns, stat.st_size)
