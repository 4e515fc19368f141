"""Keep the most recently used results of costly steps, for several threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class KeyedCache(Generic[Value]):
    """Values by key, of which the least recently used are dropped.

    Threads that ask for one key at the same time wait for one of them to create the value. The lock is held for the
    bookkeeping alone, so creating one value delays nobody who asks for another.

    Args:
        size: of all values together, as `measure` counts it.
        measure: size of a value; by default each counts 1.
        owner_limit: values that are kept for one owner; None for no limit. Nobody displaces values of others by it.
    """

    def __init__(self, size: int, measure: Callable[[Value], int] = lambda _: 1, owner_limit: int | None = None):
        self._size, self._measure, self._owner_limit = size, measure, owner_limit
        self._entries: OrderedDict[Hashable, Future[Value]] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}  # of the complete entries
        self._owned: dict[str, OrderedDict[Hashable, None]] = {}  # owner -> keys, the latest at the end
        self._lock = threading.Lock()

    def get(self, key: Hashable, create: Callable[[], Value], owner: str = "") -> Value:
        """Return the value of a key; call `create` where there is none. An error of `create` is not kept.

        Each thread gets the error of its own call: where another one's call fails, it tries again.

        Args:
            key: of the value.
            create: returns the value.
            owner: for whom.
        """
        while True:
            with self._lock:
                entry = self._entries.get(key)
                if is_new := entry is None:
                    entry = self._entries[key] = Future()
                self._entries.move_to_end(key)
                self._own(key, owner)
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
                    self._drop(key)
            entry.set_exception(error)
            raise
        with self._lock:
            if self._entries.get(key) is entry:
                self._sizes[key] = self._measure(value)
                while sum(self._sizes.values()) > self._size and len(self._sizes) > 1:
                    self._drop(next(other for other in self._entries if other in self._sizes and other != key))
        entry.set_result(value)
        return value

    def _own(self, key: Hashable, owner: str) -> None:
        """Note that an owner uses a key; drop the keys that nobody uses any more."""
        if self._owner_limit is None:
            return
        keys = self._owned.setdefault(owner, OrderedDict())
        keys[key] = None
        keys.move_to_end(key)
        while len(keys) > self._owner_limit:
            oldest, _ = keys.popitem(last=False)
            if not any(oldest in others for others in self._owned.values()):
                self._drop(oldest)

    def _drop(self, key: Hashable) -> None:
        self._entries.pop(key, None)
        self._sizes.pop(key, None)
        for owner, keys in list(self._owned.items()):
            keys.pop(key, None)
            if not keys:
                del self._owned[owner]
