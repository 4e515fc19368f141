"""Middleware of all study pages: security headers, maximum body sizes, and errors that reveal nothing."""

from __future__ import annotations

import logging
import os

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("asccl.study")
MAX_BODY_BYTES = 64 * 2**10  # of a participant's request
MAX_UPLOAD_BYTES = 2 * 2**30  # of an administrator's upload
SPACE_ORIGINS = "https://huggingface.co https://*.hf.space"  # show the pages of a Space in a frame
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)


class BodyTooLargeError(Exception):
    """The body of a request is longer than allowed."""


def security_headers() -> dict[str, str]:
    """Return the headers that every page gets."""
    return {
        "Content-Security-Policy": CONTENT_POLICY + (SPACE_ORIGINS if "SPACE_ID" in os.environ else "'none'"),
        "Referrer-Policy": "no-referrer",  # the address contains the personal link
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class StudyMiddleware:
    """Wraps the app of the study pages.

    Args:
        app: the wrapped app.
        upload_path: end of the path whose requests may carry files.
    """

    def __init__(self, app: ASGIApp, upload_path: str):
        self.app, self.upload_path = app, upload_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Args:
            scope: ASGI connection scope.
            receive: ASGI channel of the request.
            send: ASGI channel of the response.
        """
        if scope["type"] != "http":  # lifespan events; the app has no route for web sockets
            await self.app(scope, receive, send)
            return
        max_bytes = MAX_UPLOAD_BYTES if scope["path"].endswith(self.upload_path) else MAX_BODY_BYTES
        body = _BodyCounter(receive, max_bytes)
        response = _SecuredResponse(send, body)
        try:
            declared = dict(scope["headers"]).get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > max_bytes:
                raise BodyTooLargeError
            await self.app(scope, body.receive, response.send)
        except BodyTooLargeError:
            if not response.started:
                await PlainTextResponse("too large", 413)(scope, receive, response.send)
        except Exception:  # the visitor learns nothing; the server's log gets the traceback
            log.exception("a study page failed")
            if not response.started:
                error = PlainTextResponse("Something went wrong. Please reload the page.", 500)
                await error(scope, receive, response.send)


class _BodyCounter:
    """Receives a request and raises BodyTooLargeError once its body is too long."""

    def __init__(self, receive: Receive, max_bytes: int):
        self._receive, self._max_bytes = receive, max_bytes
        self._size = 0

    @property
    def exceeded(self) -> bool:
        return self._size > self._max_bytes

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self.exceeded:
            raise BodyTooLargeError
        return message


class _SecuredResponse:
    """Sends a response with the security headers; with status 413 where the body was too long."""

    def __init__(self, send: Send, body: _BodyCounter):
        self._send, self._body = send, body
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if self._body.exceeded:
                message["status"] = 413
            headers = MutableHeaders(scope=message)
            for name, value in security_headers().items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            for name in ("etag", "last-modified"):  # of a clip: they would reveal that two clips are the same
                del headers[name]
        await self._send(message)
