"""Bodies that come slowly."""

from __future__ import annotations

import asyncio

from coroutines import run_coroutine
from starlette.types import Message

from asccl.web import bodies
from asccl.web.bodies import LimitedBody


def receive_parts(part: bytes) -> Message:
    """Receive 100 parts of a body, one every 10 ms; fewer if the client counts as disconnected. Returns the last."""

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": part, "more_body": True}

    async def receive_all() -> Message:
        body = LimitedBody({"headers": []}, receive, 10**6)
        for _ in range(100):
            message = await body.receive()
            if message["type"] == "http.disconnect":
                break
        return message

    return run_coroutine(asyncio.wait_for(receive_all(), 60))


def test_a_body_that_comes_too_slowly_is_dropped(monkeypatch):
    """Although each pause is short: such uploads would take the places of others for ever."""
    monkeypatch.setattr(bodies, "MAX_PAUSE", 0.2)
    assert receive_parts(b"0")["type"] == "http.disconnect"


def test_a_body_that_comes_fast_enough_is_received(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_PAUSE", 60.0)
    assert receive_parts(b"0" * 10**4)["type"] == "http.request"
