"""Requests over a limit wait, and are then served or refused."""

from __future__ import annotations

import asyncio

import pytest
from coroutines import run_coroutine
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from asccl.ui import middleware as middleware_module
from asccl.ui.listeners import Listeners
from asccl.ui.middleware import MAX_DELAYED, PAGE_COST, AppMiddleware
from asccl.web.rate_limiter import RateLimiter

JOIN: Scope = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join", "query_string": b""}
PAGE: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}


def send_requests(joins: RateLimiter, count: int, timeout: float = 60.0, request: Scope = JOIN) -> list[Message]:
    """Let one address send the same request several times at once. Returns the beginnings of the responses."""
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answers.append(message)

    async def send_all() -> None:
        app = AppMiddleware(PlainTextResponse("accepted"), ("*",), 10**6, Listeners(), joins, lambda name: True)
        scopes = [{**request, "headers": [], "client": ("10.0.0.1", number)} for number in range(count)]
        await asyncio.wait_for(asyncio.gather(*(app(scope, receive, send) for scope in scopes)), timeout)

    run_coroutine(send_all())
    return answers


def closed_connections(answers: list[Message]) -> int:
    """How many responses say that the connection is closed."""
    return sum((b"connection", b"close") in answer["headers"] for answer in answers)


@pytest.fixture(autouse=True)
def short_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request over a limit wait for a fifth of a second."""
    monkeypatch.setattr(middleware_module, "REFUSAL_DELAY", 0.2)


def test_people_who_share_an_address_and_are_a_few_too_many_are_served():
    """Within the delay, the address may send ten requests."""
    answers = send_requests(RateLimiter(rate=50.0, burst=5), count=10)
    assert [answer["status"] for answer in answers] == [200] * 10


def test_a_flood_waits_for_its_refusals(monkeypatch):
    """Nothing but a late answer slows down a client that waits for each of its answers."""
    monkeypatch.setattr(middleware_module, "REFUSAL_DELAY", 3600.0)
    with pytest.raises(TimeoutError):
        send_requests(RateLimiter(rate=0.0, burst=0), count=1, timeout=0.2)


def test_a_wide_flood_loses_its_connections():
    """Else its waiting requests would hold one each."""
    answers = send_requests(RateLimiter(rate=0.0, burst=0), count=MAX_DELAYED + 5)
    assert closed_connections(answers) == 5


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
def test_the_page_counts_as_several_requests(path):
    """Gradio builds it anew each time, which takes as long as several requests for work."""
    answers = send_requests(RateLimiter(rate=0.0, burst=2 * PAGE_COST), count=3, request={**PAGE, "path": path})
    assert [answer["status"] for answer in answers] == [200, 200, 429]
