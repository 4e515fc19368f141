"""The response that sends a clip to a participant."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from asccl.study.answering import TrialClip

log = logging.getLogger("asccl.study")

CLIP_CACHE = "private, max-age=3600"


class ClipResponse(FileResponse):
    """Sends a clip, or a part of it, and counts the bytes that were sent.

    Args:
        clip: to send.
        record: is called with the number of bytes once the response has ended, also early.

    Raises:
        FileNotFoundError: the clip is gone.
    """

    def __init__(self, clip: TrialClip, record: Callable[[int], None]):
        headers = {"Cache-Control": CLIP_CACHE}
        super().__init__(clip.path, media_type="video/mp4", headers=headers, stat_result=clip.path.stat())
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
        except FileNotFoundError:  # the study was deleted after the headers were sent: the connection ends
            log.warning("a clip was deleted while it was being sent")
        finally:
            if count:
                await run_in_threadpool(self._record, count)
