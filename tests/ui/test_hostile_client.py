"""The hostile client of `benchmarks.public` goes on when connections break, and its end is noticed."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from coroutines import run_coroutine

from benchmarks import hostile_client
from benchmarks.hostile_client import CONNECTION_CLOSED, HostileClient, attack, status_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems lack 127.0.0.2")
ENDPOINTS = ("edit", "preview", "adapted_preview", "faces")


class ClosingHandler(BaseHTTPRequestHandler):
    """Accepts uploads, and closes the connection of every request for work.

    Attributes:
        delay: seconds before.
    """

    delay = 0.0

    def do_GET(self) -> None:
        self.respond({"dependencies": [{"api_name": name, "id": 0, "inputs": []} for name in ENDPOINTS]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "upload" in self.path:
            self.respond(["/uploaded"])
        else:
            time.sleep(self.delay)
            self.close_connection = True

    def respond(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def closing_server() -> Iterator[str]:
    """The URL of a server that closes the connection of every request for work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ClosingHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def small_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hostile client send small bodies, and none slowly."""
    monkeypatch.setattr(hostile_client, "SLOW_UPLOADS", 0)
    monkeypatch.setattr(hostile_client, "LARGE_BODY", 2**16)


def test_the_hostile_client_goes_on_when_its_connections_break(closing_server, monkeypatch):
    closed = []

    async def count_closed(request: Awaitable[httpx.Response]) -> int:
        closed.append(await status_of(request))
        return closed[-1]

    async def attack_until_closed() -> None:
        attacking = asyncio.create_task(attack(closing_server, math.inf))
        while closed.count(CONNECTION_CLOSED) <= len(ENDPOINTS) and not attacking.done():
            await asyncio.sleep(0.05)
        attacking.cancel()
        with suppress(asyncio.CancelledError):
            await attacking

    monkeypatch.setattr(hostile_client, "status_of", count_closed)
    run_coroutine(asyncio.wait_for(attack_until_closed(), 60))
    assert closed.count(CONNECTION_CLOSED) > len(ENDPOINTS)


def test_the_hostile_client_ends_although_its_answers_come_late(closing_server, monkeypatch):
    """Not only after all joins of a wave, each of which the server may delay."""
    monkeypatch.setattr(ClosingHandler, "delay", 0.3)
    answers = run_coroutine(attack(closing_server, time.monotonic() + 1))
    assert answers[CONNECTION_CLOSED] < len(ENDPOINTS) * hostile_client.FLOOD_JOINS


def test_a_hostile_client_that_died_ends_the_benchmark():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        client = HostileClient(f"http://127.0.0.1:{closed.getsockname()[1]}/", time.monotonic() + 1)
        with pytest.raises(RuntimeError, match="exit status 1"):
            client.figures()
