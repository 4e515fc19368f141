"""The app in a process of its own, and a client that calls it as its page does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "examples" / "astronaut.mp4"
TIMEOUT = 300.0  # seconds


def edit_settings(source: dict[str, Any], emotion: str) -> list[Any]:
    """The arguments that /preview and /edit share."""
    return [source, emotion, None, 1.0, 0, 0, -1, 0, "warp", True, "", ""]


class Client:
    """Calls the app as its page does: requests join the queue, results come in one stream of messages.

    Args:
        url: of the app.
        address: local address to connect from.
        session: name of the open page.
    """

    def __init__(self, url: str, address: str, session: str):
        transport = httpx.AsyncHTTPTransport(local_address=address)
        self.http = httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT)
        self.session = session
        self._functions: dict[str, tuple[int, int]] = {}  # name -> index, number of inputs
        self._results: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._stream: asyncio.Task[None] | None = None

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Upload a file. Returns the value of a file component."""
        response = await self.http.post("gradio_api/upload", files={"files": (name, content)})
        response.raise_for_status()
        return {"path": response.json()[0], "meta": {"_type": "gradio.FileData"}}

    async def join(self, endpoint: str, data: list[Any], session: str = "") -> httpx.Response:
        """Send a request to the queue.

        Args:
            endpoint: its name.
            data: its arguments; missing ones are None.
            session: that asks; by default that of this client.
        """
        if not self._functions:
            config = (await self.http.get("config")).json()
            self._functions = {d["api_name"]: (d["id"], len(d["inputs"])) for d in config["dependencies"]}
        index, count = self._functions[endpoint]
        padded = [*data, *[None] * (count - len(data))]
        body = {"data": padded, "fn_index": index, "session_hash": session or self.session}
        return await self.http.post("gradio_api/queue/join", json=body)

    async def call(self, endpoint: str, data: list[Any]) -> str:
        """Send a request to the queue and wait for its result.

        Args:
            endpoint: its name.
            data: its arguments.

        Returns:
            The result as text.

        Raises:
            RuntimeError: the endpoint failed.
        """
        response = await self.join(endpoint, data)
        response.raise_for_status()
        result = self._results.setdefault(response.json()["event_id"], asyncio.get_running_loop().create_future())
        while not result.done():
            if self._stream is None or self._stream.done():
                self._stream = asyncio.create_task(self._listen())
            waiting: list[asyncio.Future[Any]] = [result, self._stream]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        message = result.result()
        if not message["success"]:
            raise RuntimeError(f"/{endpoint} failed: {message['output']}")
        return json.dumps(message["output"])

    async def close(self) -> None:
        """Leave, whether or not results are still to come."""
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.gather(self._stream, return_exceptions=True)
        await self.http.aclose()

    async def _listen(self) -> None:
        """Read the messages of this page until no request is open."""
        url = f"gradio_api/queue/data?session_hash={self.session}"
        async with self.http.stream("GET", url) as response:
            async for line in response.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    future = asyncio.get_running_loop().create_future()
                    result = self._results.setdefault(message["event_id"], future)
                    if not result.done():
                        result.set_result(message)


class Server:
    """`python app.py` on a free port, with a folder for its temporary files.

    Args:
        folder: for temporary files.
    """

    def __init__(self, folder: Path):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url, self.folder = f"http://127.0.0.1:{port}/", folder
        command = [sys.executable, "app.py", "--port", str(port)]
        environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        self.measured = psutil.Process(self.process.pid)

    async def wait(self) -> None:
        """Wait until the server responds."""
        async with httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    await client.get(self.url)
                    return
                await asyncio.sleep(0.3)

    def measure(self) -> dict[str, float]:
        """Memory in MB, threads, open descriptors and temporary files."""
        with self.measured.oneshot():
            return {
                "memory": round(self.measured.memory_info().rss / 1e6),
                "threads": self.measured.num_threads(),
                "descriptors": self.measured.num_fds(),
                "job folders": len(list(self.folder.glob("asccl-app-*/asccl-run-*"))),
            }
