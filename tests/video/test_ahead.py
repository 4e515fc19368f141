"""Threads change the speed and nothing else."""

from __future__ import annotations

import threading

import pytest

from asccl.video.threads import QUEUE_SIZE, BackgroundWriter, prefetch


def test_items_come_in_order():
    assert list(prefetch(range(100))) == list(range(100))


def test_an_error_comes_after_the_items_before_it():
    def broken():
        yield 1
        raise ValueError("broken")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_only_a_few_items_are_made_ahead_and_closing_stops_the_thread():
    made = []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    items = prefetch(endless())
    assert next(items) == 0
    items.close()
    assert len(made) <= QUEUE_SIZE + 3
    assert not [t for t in threading.enumerate() if t.name == "ahead"]


def test_everything_is_consumed_in_order_before_leaving():
    seen = []
    with BackgroundWriter(seen.append) as behind:
        for i in range(50):
            behind.put(i)
    assert seen == list(range(50))


def test_an_error_of_the_consumer_is_raised_and_the_rest_dropped():
    seen = []

    def consume(i: int) -> None:
        if i == 3:
            raise OSError("full")
        seen.append(i)

    with pytest.raises(OSError, match="full"), BackgroundWriter(consume) as behind:
        for i in range(1000):
            behind.put(i)
    assert seen == [0, 1, 2]


def test_an_error_of_the_producer_is_not_hidden():
    with pytest.raises(KeyError), BackgroundWriter(lambda i: None) as behind:
        behind.put(1)
        raise KeyError("mine")
