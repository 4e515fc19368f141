"""The hostile client of `benchmarks.public`, in a process of its own.

It floods the queue and waits for the results, sends bodies of 200 MB, uploads slowly and uploads wide pictures. Its
process has low priority, as in reality it has a computer of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import cv2
import httpx
import numpy as np

from benchmarks.app_process import CLIP, Client, edit_settings

FLOOD_JOINS = 45
FLOOD_SESSIONS = 5
LARGE_BODY = 200 * 2**20  # bytes
LARGE_BODY_PART = 2**16  # bytes that are sent at once
SLOW_UPLOADS = 20
SLOW_PAUSE = 1.0  # seconds between two parts of a slow upload
NICENESS = 19
CONNECTION_CLOSED = 0  # counted instead of a status where the connection broke or was closed


async def attack(url: str, until: float) -> Counter[int]:
    """Attack the app until the time is over.

    Args:
        url: of the app.
        until: monotonic time.

    Returns:
        How many requests got which status; 0 where the connection was closed.
    """
    client, answers = Client(url, "127.0.0.2", "hostile"), Counter[int]()
    wide = cv2.imencode(".png", np.zeros((256, 40_000, 3), np.uint8))[1].tobytes()
    source = await client.upload("hostile.mp4", CLIP.read_bytes())
    picture = await client.upload("wide.png", wide)

    async def flood(data: list[Any], endpoint: str) -> None:
        for count in itertools.count(1):
            if time.monotonic() > until:
                break
            answers[await status_of(client.join(endpoint, data, f"flood{count % FLOOD_SESSIONS}"))] += 1
            if count % FLOOD_JOINS == 0:
                await asyncio.sleep(1)

    async def listen(session: str) -> None:
        """Wait for the messages of a session: the app works for nobody who does not."""
        while time.monotonic() < until:
            url = f"gradio_api/queue/data?session_hash={session}"
            with suppress(httpx.HTTPError):
                async with client.http.stream("GET", url) as response:
                    async for _ in response.aiter_bytes():
                        if time.monotonic() > until:
                            break
            await asyncio.sleep(1)

    async def send_large_bodies() -> None:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(LARGE_BODY // LARGE_BODY_PART):
                yield part

        part, headers = bytes(LARGE_BODY_PART), {"Content-Length": str(LARGE_BODY)}
        while time.monotonic() < until:
            request = client.http.post("gradio_api/queue/join", content=parts(), headers=headers)
            answers[await status_of(request)] += 1
            await asyncio.sleep(1)

    async def upload_slowly() -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="slow.mp4"\r\n\r\n'
            while time.monotonic() < until:
                yield b"0"
                await asyncio.sleep(SLOW_PAUSE)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        await status_of(client.http.post("gradio_api/upload", content=parts(), headers=headers))

    await asyncio.gather(
        flood([*edit_settings(source, "sad"), False, True], "edit"),
        flood([*edit_settings(source, "happy"), 0.5], "preview"),
        flood([*edit_settings(source, "fear"), 0.5, True], "adapted_preview"),
        flood([picture], "faces"),
        send_large_bodies(),
        *(listen(f"flood{number}") for number in range(FLOOD_SESSIONS)),
        *(upload_slowly() for _ in range(SLOW_UPLOADS)),
    )
    await client.close()
    return answers


async def status_of(request: Awaitable[httpx.Response]) -> int:
    """Wait for the response to a request. Returns its status; 0 where the connection was closed or broke."""
    try:
        return (await request).status_code
    except httpx.HTTPError:
        return CONNECTION_CLOSED


class HostileClient:
    """The hostile client in a process of its own.

    Args:
        url: of the app.
        until: monotonic time.
    """

    def __init__(self, url: str, until: float):
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=_attack_in_process, args=(url, until, sender), daemon=True)
        self.process.start()
        sender.close()  # only the process has it now: when the process dies, `figures` ends

    def figures(self) -> tuple[dict[int, int], int]:
        """Wait until the process ends.

        Returns:
            Number of requests by status, see `attack`; seconds of processor time.

        Raises:
            RuntimeError: the process died.
        """
        try:
            figures: tuple[dict[int, int], int] = self._receiver.recv()
        except EOFError as error:
            self.process.join()
            raise RuntimeError(f"the hostile client ended with exit status {self.process.exitcode}") from error
        return figures


def _attack_in_process(url: str, until: float, figures: Connection) -> None:
    """Run `attack` in a process of its own.

    Args:
        url: of the app.
        until: monotonic time.
        figures: receives what `HostileClient.figures` returns.
    """
    os.nice(NICENESS)
    answers = asyncio.run(attack(url, until))
    figures.send((dict(answers), round(time.process_time())))
