"""Limits on the bodies of requests: their size, and how long a client may pause."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope

MAX_PAUSE = 30.0  # seconds without a part of the body


class BodyTooLargeError(Exception):
    """The body of a request is longer than allowed."""


class LimitedBody:
    """Receives a request, and raises BodyTooLargeError once its body is too long.

    A client that pauses for more than `MAX_PAUSE` while it sends a body is treated as disconnected.

    Args:
        scope: ASGI connection scope of the request.
        receive: ASGI channel of the request.
        max_bytes: of the body.

    Raises:
        BodyTooLargeError: the declared length is larger.
    """

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int):
        self._receive, self._max_bytes = receive, max_bytes
        self._size, self._complete = 0, False
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
        try:
            message = await asyncio.wait_for(self._receive(), MAX_PAUSE)
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self.exceeded:
            raise BodyTooLargeError
        return message
