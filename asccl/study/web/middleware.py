"""Middleware of all study pages: security headers, maximum body sizes, and errors that reveal nothing."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from asccl.web.bodies import BodyTooLargeError, LimitedBody, refuse
from asccl.web.hosts import SPACE_ORIGINS, is_space
from asccl.web.responses import SecuredResponse

log = logging.getLogger("asccl.study")
FAILURE_TEXT = "Something went wrong. Please reload the page."
MAX_BODY_BYTES = 64 * 2**10  # of a participant's request
MAX_UPLOAD_BYTES = 2 * 2**30  # of an administrator's upload
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)


def security_headers() -> dict[str, str]:
    """Return the headers that every page gets."""
    return {
        "Content-Security-Policy": CONTENT_POLICY + (SPACE_ORIGINS if is_space() else "'none'"),
        "Referrer-Policy": "no-referrer",  # the address contains the personal link
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


async def respond_to_failure(request: Request, error: Exception) -> Response:
    """Tell the visitor of an unexpected error without its details; `StudyMiddleware` logs it.

    Args:
        request: that failed.
        error: not shown.
    """
    return PlainTextResponse(FAILURE_TEXT, 500)


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
        response = _StudyResponse(send, security_headers())
        try:
            response.body = body = LimitedBody(scope, receive, max_bytes)
            await self.app(scope, body.receive, response.send)
        except BodyTooLargeError:
            if not response.started:
                await refuse(PlainTextResponse("too large", 413), scope, receive, response.send)
        except Exception:  # the visitor learns nothing; the server's log gets the traceback
            log.exception("a study page failed")
            if not response.started:
                error = PlainTextResponse(FAILURE_TEXT, 500)
                await error(scope, receive, response.send)


class _StudyResponse(SecuredResponse):
    """Is not stored unless its page says so, and does not reveal that two clips are the same."""

    def change_headers(self, headers: MutableHeaders) -> None:
        super().change_headers(headers)
        headers.setdefault("Cache-Control", "no-store")
        for name in ("etag", "last-modified"):
            del headers[name]
