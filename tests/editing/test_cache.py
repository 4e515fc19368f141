"""The cache creates a value once for all threads, keeps the latest values, and forgets errors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from asccl.editing.cache import KeyedCache

WAIT = 30  # seconds


def test_threads_that_ask_for_one_key_share_one_creation():
    cache: KeyedCache[object] = KeyedCache(2)
    started, release, calls = threading.Event(), threading.Event(), []

    def create() -> object:
        calls.append(1)
        started.set()
        release.wait(WAIT)
        return object()

    with ThreadPoolExecutor(3) as pool:
        values = [pool.submit(cache.get, "key", create) for _ in range(3)]
        assert started.wait(WAIT)
        release.set()
        assert len({id(value.result(WAIT)) for value in values}) == 1
    assert len(calls) == 1


def test_one_creation_does_not_delay_that_of_another_key():
    cache: KeyedCache[int] = KeyedCache(2)
    with ThreadPoolExecutor(1) as pool:
        other = threading.Event()
        slow = pool.submit(cache.get, "slow", lambda: int(other.wait(WAIT)))
        cache.get("fast", lambda: 1)
        other.set()
        assert slow.result(WAIT) == 1


def test_the_least_recently_used_value_is_dropped():
    cache: KeyedCache[str] = KeyedCache(2)
    for key in ("first", "second", "first", "third"):
        cache.get(key, lambda: "old")
    assert [cache.get(key, lambda: "new") for key in ("first", "third", "second")] == ["old", "old", "new"]


def test_many_values_of_one_owner_displace_none_of_another():
    cache: KeyedCache[str] = KeyedCache(100, owner_limit=2)
    cache.get("kept", lambda: "old", "first")
    for key in "abcd":
        cache.get(key, lambda: "old", "second")
    assert [cache.get(key, lambda: "new", "first") for key in ("kept", "a")] == ["old", "new"]


def test_large_values_are_dropped_before_the_memory_is_full():
    cache: KeyedCache[str] = KeyedCache(10, measure=len)
    for key in ("first", "second", "third"):
        cache.get(key, lambda: "12345")
    assert [cache.get(key, lambda: "new") for key in ("third", "second", "first")] == ["12345", "12345", "new"]


def test_an_error_is_not_kept():
    cache: KeyedCache[int] = KeyedCache(1)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: 1) == 1


def test_a_thread_that_waited_for_a_failed_creation_tries_again():
    cache: KeyedCache[int] = KeyedCache(1)
    started, release = threading.Event(), threading.Event()

    def fail() -> int:
        started.set()
        release.wait(WAIT)
        raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(cache.get, "key", fail)
        assert started.wait(WAIT)
        waiting = pool.submit(cache.get, "key", lambda: 1)
        release.set()
        assert isinstance(failing.exception(WAIT), ZeroDivisionError)
        assert waiting.result(WAIT) == 1
