"""Responses with security headers, and with status 413 where the body of the request was too long."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from asccl.web.bodies import LimitedBody


class SecuredResponse:
    """Sends a response.

    Args:
        send: ASGI channel of the response.
        headers: that every response gets.

    Attributes:
        body: of the request; None before it is known.
        started: whether a part was sent already.
    """

    def __init__(self, send: Send, headers: Mapping[str, str]):
        self._send, self._headers = send, headers
        self.body: LimitedBody | None = None
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self.started = True
            if self.body is not None and self.body.exceeded:
                message["status"] = 413
                MutableHeaders(scope=message)["Connection"] = "close"  # else the rest of the body is read
            self.change_headers(MutableHeaders(scope=message))
        await self._send(message)

    def change_headers(self, headers: MutableHeaders) -> None:
        """Add the headers before the first part is sent."""
        headers.update(self._headers)
