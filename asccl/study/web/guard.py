"""What stands before every study page: headers, size of a body, pace, and no error that tells about the machine."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from threading import Lock

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("asccl.study")
BODY = 64 * 2**10  # bytes of a participant's request
UPLOAD = 2 * 2**30  # bytes of an administrator's
SPACE = "https://huggingface.co https://*.hf.space"  # shows a Space's pages in a frame
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)


class BodyTooLarge(Exception):
    """The body is longer than it may be."""


def headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": POLICY + (SPACE if "SPACE_ID" in os.environ else "'none'"),
        "Referrer-Policy": "no-referrer",  # the address holds the personal link
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Guard:
    """Wraps the study app. uploads: paths that begin so may send files."""

    def __init__(self, app: ASGIApp, uploads: str):
        self.app, self.uploads = app, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # start and end; a web socket finds no route
            await self.app(scope, receive, send)
            return
        most = UPLOAD if scope["path"].endswith(self.uploads) else BODY
        begun, over, size = False, False, 0

        async def counted() -> Message:
            nonlocal size, over
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                over = True
                raise BodyTooLarge
            return message

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if over:
                    message["status"] = 413
                own = MutableHeaders(scope=message)
                for name, value in headers().items():
                    own[name] = value
                own.setdefault("Cache-Control", "no-store")
                for name in ("etag", "last-modified"):  # of a clip: the same wherever it is shown
                    del own[name]
            await send(message)

        try:
            declared = dict(scope["headers"]).get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > most:
                raise BodyTooLarge
            await self.app(scope, counted, dressed)
        except BodyTooLarge:
            if not begun:
                await PlainTextResponse("too large", 413)(scope, receive, dressed)
        except Exception:  # whatever it was: the visitor learns nothing, the server's log everything
            log.exception("a study page failed")
            if not begun:
                await PlainTextResponse("Something went wrong. Please reload the page.", 500)(scope, receive, dressed)


class RateLimiter:
    """Token buckets: `most` at once, `rate` a second after that, for each key. Forgets keys that were quiet longest."""

    def __init__(self, rate: float, most: int, keys: int = 10_000):
        self.rate, self.most, self.keys = rate, most, keys
        self._lock = Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            left, seen = self._left.pop(key, (float(self.most), now))
            left = min(self.most, left + (now - seen) * self.rate)
            allowed = left >= 1
            self._left[key] = (left - allowed, now)
            if len(self._left) > self.keys:
                self._left.popitem(last=False)
            return allowed
