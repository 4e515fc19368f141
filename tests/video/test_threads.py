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


def test_only_a_few_items_are_prefetched_and_closing_stops_the_thread():
    produced = []

    def endless():
        while True:
            produced.append(len(produced))
            yield produced[-1]

    items = prefetch(endless())
    assert next(items) == 0
    items.close()
    assert len(produced) <= QUEUE_SIZE + 3
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_everything_is_consumed_in_order_before_leaving():
    consumed = []
    with BackgroundWriter(consumed.append) as writer:
        for i in range(50):
            writer.put(i)
    assert consumed == list(range(50))


def test_an_error_of_the_consumer_is_raised_and_the_rest_dropped():
    consumed = []

    def consume(i: int) -> None:
        if i == 3:
            raise OSError("full")
        consumed.append(i)

    def write_all() -> None:
        with BackgroundWriter(consume) as writer:
            for i in range(1000):
                writer.put(i)

    with pytest.raises(OSError, match="full"):
        write_all()
    assert consumed == [0, 1, 2]


def test_an_error_of_the_producer_is_not_hidden():
    def produce() -> None:
        with BackgroundWriter(lambda i: None) as writer:
            writer.put(1)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        produce()
