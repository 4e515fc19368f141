"""The app in a process of its own, and a client that calls it as its page does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "examples" / "astronaut.mp4"
TIMEOUT = 300.0  # seconds, of a request
START_SECONDS = 180.0  # limit until the first response
START_ATTEMPTS = 3  # each with a port of its own: another program can take a port before the app listens on it


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


@dataclass(frozen=True)
class ServedApp:
    """`python app.py` in a process of its own.

    Attributes:
        url: its address, with a slash at the end.
        process: the server.
    """

    url: str
    process: psutil.Popen

    def processor_seconds(self) -> float:
        """Return the seconds that all threads of the server have computed so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    def wait_until_ready(self, path: str = "") -> None:
        """Wait until a page responds.

        Args:
            path: of the page.

        Raises:
            RuntimeError: the program ended, or does not respond within `START_SECONDS`.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                httpx.get(self.url + path, timeout=TIMEOUT)
                return
            except httpx.TransportError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"app.py ended with exit status {self.process.returncode}") from None
                time.sleep(0.2)
        raise RuntimeError(f"app.py does not respond within {START_SECONDS:.0f} seconds")

    def stop(self) -> None:
        """End the program and wait for its end."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)


def start_app(port: int, *options: str, root: Path = ROOT, environment: Mapping[str, str] | None = None) -> ServedApp:
    """Start `python app.py` and do not wait for it.

    Args:
        port: to listen on.
        *options: of app.py.
        root: the checkout.
        environment: further variables.
    """
    command = [sys.executable, "app.py", "--port", str(port), *options]
    variables = {**os.environ, **(environment or {})}
    process = psutil.Popen(command, cwd=root, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ServedApp(f"http://127.0.0.1:{port}/", process)


def free_port() -> int:
    """Return a port that nothing listens on now; see `START_ATTEMPTS`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def served_app(root: Path = ROOT, environment: Mapping[str, str] | None = None) -> Iterator[ServedApp]:
    """Serve the app on a free port until the end of the block.

    Args:
        root: the checkout.
        environment: further variables.

    Yields:
        The app, once it responds.

    Raises:
        RuntimeError: it does not start.
    """
    for attempt in range(START_ATTEMPTS):
        app = start_app(free_port(), root=root, environment=environment)
        try:
            app.wait_until_ready()
            break
        except RuntimeError as error:
            app.stop()
            if attempt == START_ATTEMPTS - 1:
                raise RuntimeError(f"{error}: start the app of {root} by hand to see why") from None
    try:
        yield app
    finally:
        app.stop()
