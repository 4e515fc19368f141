"""The response that sends a clip to a participant."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from asccl.study.answering import TrialClip

CLIP_CACHE = "private, max-age=3600"


class ClipResponse(FileResponse):
    """Sends a clip, or a part of it, and counts the bytes that were sent.

    Args:
        clip: to send.
        record: is called with the number of bytes once the response has ended, also early.
    """

    def __init__(self, clip: TrialClip, record: Callable[[int], None]):
        super().__init__(clip.path, media_type="video/mp4", headers={"Cache-Control": CLIP_CACHE})
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the clip.

        Args:
            scope: ASGI connection scope.
            receive: ASGI channel of the request.
            send: ASGI channel of the response.
        """
        count = 0

        async def send_counted(message: Message) -> None:
            nonlocal count
            await send(message)
            count += len(message.get("body", b""))

        try:
            await super().__call__(scope, receive, send_counted)
        finally:
            if count:
                await run_in_threadpool(self._record, count)
