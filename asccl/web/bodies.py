"""Limits on the bodies of requests: their size, and how long a client may pause."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

MAX_PAUSE = 30.0  # seconds without a part of the body
MIN_RATE = 4096  # bytes per second, the mean over a body and after its first `MAX_PAUSE`
MAX_DISCARDED = 4 * 2**20  # bytes of the body of a refused request that are read, so that its client gets the response
MAX_DISCARD_SECONDS = 5.0


class BodyTooLargeError(Exception):
    """The body of a request is longer than allowed."""


class LimitedBody:
    """Receives a request, and raises BodyTooLargeError once its body is too long.

    A client that pauses for more than `MAX_PAUSE` while it sends a body, or sends less than `MIN_RATE`, is treated as
    disconnected.

    Args:
        scope: ASGI connection scope of the request.
        receive: ASGI channel of the request.
        max_bytes: of the body.

    Raises:
        BodyTooLargeError: the declared length is larger.
    """

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int):
        self._receive, self._max_bytes = receive, max_bytes
        self._size, self._complete, self._start = 0, False, time.monotonic()
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > max_bytes:
            raise BodyTooLargeError

    @property
    def exceeded(self) -> bool:
        """Whether the body was too long."""
        return self._size > self._max_bytes

    async def receive(self) -> Message:
        """Receive the next message. Raises BodyTooLargeError."""
        if self._complete:  # a disconnection may come at any time
            return await self._receive()
        patience = self._start + MAX_PAUSE + self._size / MIN_RATE - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), min(patience, MAX_PAUSE))
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self.exceeded:
            raise BodyTooLargeError
        return message


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Respond to a request whose body nobody reads. Where much of it is still to come, the connection is closed.

    Args:
        response: to send. If it already says that the connection is closed, nothing is read.
        scope: ASGI connection scope of the request.
        receive: ASGI channel of the request.
        send: ASGI channel of the response.
    """
    if response.headers.get("Connection") != "close" and not await _discard(receive):
        response.headers["Connection"] = "close"
    await response(scope, receive, send)


async def _discard(receive: Receive) -> bool:
    """Read a body within `MAX_DISCARDED` and `MAX_DISCARD_SECONDS`. Returns whether that was all of it."""
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_DISCARD_SECONDS):
            while size <= MAX_DISCARDED:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    return False
