"""Middleware in front of the whole app: trusted hosts, body limits, request rates, security headers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import parse_qs

from gradio.server_messages import UnexpectedErrorMessage
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from asccl.ui.listeners import Listeners
from asccl.web.bodies import BodyTooLargeError, LimitedBody, refuse
from asccl.web.hosts import HOSTS_VARIABLE, SPACE_ORIGINS, is_space, is_trusted_host
from asccl.web.rate_limiter import RateLimiter
from asccl.web.responses import SecuredResponse

MAX_BODY_BYTES = 2**20  # of a request that carries no files
MAX_UPLOADS = 6  # of one address at the same time
REFUSAL_DELAY = 1.0  # seconds for which a request over a limit waits, before it is refused if it still is
MAX_DELAYED = 16  # such requests of one address at the same time; others are refused at once and lose their connection
TOO_MANY_REQUESTS = 429
UPLOAD_PATH = "/gradio_api/upload"
# ask for a preview, an edit or a comparison; the last two answer at once, which only short handlers may do
JOIN_PATHS = ("/gradio_api/queue/join", "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/api/")
PAGE_PATHS = ("", "/config", "/gradio_api/info")  # Gradio builds these anew each time
PAGE_COST = 8  # requests
LISTEN_PATHS = ("/gradio_api/queue/data", "/gradio_api/call/")  # wait for its messages
NO_SESSION = UnexpectedErrorMessage(message="there are no messages for this page", session_not_found=True)
STUDY_PATH = "/study"  # has middleware of its own, with the study's limits and headers
# Gradio's page has inline scripts and builds the functions of `js=` at run time
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)


def security_headers() -> dict[str, str]:
    """Return the headers of every response. Only a Space may be shown in a frame of another site."""
    headers = {
        "Content-Security-Policy": CONTENT_POLICY + (f"'self' {SPACE_ORIGINS}" if is_space() else "'self'"),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    }
    return headers if is_space() else {**headers, "X-Frame-Options": "SAMEORIGIN"}


class AppMiddleware:
    """Wraps Gradio's app.

    A request over a limit waits for a second. People who share an address and were a little too many are then served; a
    flood, which stays over its limit, spends its time waiting, and the refusals cost the server almost nothing.

    Args:
        app: the wrapped app.
        trusted_names: see `asccl.web.hosts.trusted_names`.
        max_upload_bytes: of all files of one request.
        listeners: is told which sessions wait for messages.
        joins: limit on the requests of one address for the page, for work and for its messages.
        has_messages: whether there are messages for a session or an event.
    """

    def __init__(
        self,
        app: ASGIApp,
        trusted_names: tuple[str, ...],
        max_upload_bytes: int,
        listeners: Listeners,
        joins: RateLimiter,
        has_messages: Callable[[str], bool],
    ):
        self.app, self._trusted_names, self._max_upload_bytes = app, trusted_names, max_upload_bytes
        self._listeners, self._joins, self._has_messages = listeners, joins, has_messages
        self._uploads: Counter[str] = Counter()
        self._delayed: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Args:
            scope: ASGI connection scope.
            receive: ASGI channel of the request.
            send: ASGI channel of the response.
        """
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not is_trusted_host(Headers(scope=scope).get("host", ""), self._trusted_names):
            text = f"This server does not answer to this name. Its owner can allow it with {HOSTS_VARIABLE}."
            await refuse(PlainTextResponse(text, 421), scope, receive, send)
        elif scope["type"] == "websocket" or _is_below(scope["path"], STUDY_PATH):
            await self.app(scope, receive, send)
        else:
            await self._serve(scope, receive, SecuredResponse(send, security_headers()))

    async def _serve(self, scope: Scope, receive: Receive, response: SecuredResponse) -> None:
        address = scope["client"][0] if scope.get("client") else ""
        is_upload = scope["path"] == UPLOAD_PATH
        if refusal := await self._late_refusal(scope, address):
            await refuse(refusal, scope, receive, response.send)
            return
        try:
            max_bytes = self._max_upload_bytes if is_upload else MAX_BODY_BYTES
            response.body = body = LimitedBody(scope, receive, max_bytes)
            uploads = _counted(self._uploads, address) if is_upload else nullcontext()
            with uploads, self._listeners.listening(*_listeners(scope, address)):
                await self.app(scope, body.receive, response.send)
        except BodyTooLargeError:
            if not response.started:
                await refuse(PlainTextResponse("the request is too large", 413), scope, receive, response.send)
        except ClientDisconnect:  # it broke off or paused for too long; unhandled, each leaves a traceback in the log
            if not response.started:
                await refuse(PlainTextResponse("the request did not end", 408), scope, receive, response.send)

    async def _late_refusal(self, scope: Scope, address: str) -> Response | None:
        """See `_refusal`. A request over a limit waits before, unless too many of its address do."""
        refusal = self._refusal(scope, address)
        if refusal is None or refusal.status_code != TOO_MANY_REQUESTS:
            return refusal
        if self._delayed[address] >= MAX_DELAYED:
            refusal.headers["Connection"] = "close"
            return refusal
        with _counted(self._delayed, address):
            await asyncio.sleep(REFUSAL_DELAY)
        return self._refusal(scope, address)

    def _refusal(self, scope: Scope, address: str) -> Response | None:
        """The response to an address that asks for too much; None to one that does not."""
        path, cost = scope["path"], _cost(scope)
        if cost and not self._joins.allows(address, cost):
            return PlainTextResponse("too many requests from this address: wait a moment", TOO_MANY_REQUESTS)
        if path == UPLOAD_PATH and self._uploads[address] >= MAX_UPLOADS:
            text = "too many uploads at once from this address: wait for one to end"
            return PlainTextResponse(text, TOO_MANY_REQUESTS)
        names = _listeners(scope, address)
        if names and not self._has_messages(names[0]):
            return Response(f"data: {NO_SESSION.model_dump_json()}\n\n", media_type="text/event-stream")
        return None


@contextmanager
def _counted(counts: Counter[str], address: str) -> Iterator[None]:
    """Count a request of an address until the end of the block; a counter keeps no address with 0."""
    counts[address] += 1
    try:
        yield
    finally:
        counts[address] -= 1
        if not counts[address]:
            del counts[address]


def _cost(scope: Scope) -> int:
    """How many requests one counts as; 0 for one that costs the server little."""
    path, method = scope["path"], scope["method"]
    if method in ("GET", "HEAD") and path.rstrip("/") in PAGE_PATHS:
        return PAGE_COST
    return int(path.startswith({"POST": JOIN_PATHS, "GET": LISTEN_PATHS}.get(method, ())))


def _listeners(scope: Scope, address: str) -> tuple[str, ...]:
    """Who waits for messages by a request: a session, or an event and the address of a program; else nobody."""
    path = scope["path"].rstrip("/")
    if scope["method"] != "GET" or not path.startswith(LISTEN_PATHS):
        return ()
    sessions = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash")
    return tuple(sessions) if sessions else (path.rpartition("/")[2], address)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
