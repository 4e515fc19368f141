"""The page of the app around the fake editor, served for tests."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
from clocks import AdjustableClock
from fake_editor import FakeEditor
from gradio_client import Client

TIMEOUT = 60.0  # seconds; the default of httpx, 5 s, is too short on a busy machine


class ServedPage:
    """The page of the app on a free local port.

    Attributes:
        editor: the fake editor behind it.
        jobs_folder: where its jobs create their folders.
        cache: where Gradio keeps uploads.
        clock: of its jobs and of those who wait for them.
        blocks: Gradio's object of the page.
        url: its address.
    """

    def __init__(self, editor: FakeEditor, root: Path, routes: Sequence = (), **limits: int):
        from asccl.ui.limits import WEB_LIMITS
        from asccl.ui.listeners import Listeners
        from asccl.ui.page import build_page, serve

        self.editor, self.jobs_folder, self.cache = editor, root / "jobs", root / "cache"
        self.jobs_folder.mkdir()
        self.cache.mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(self.cache)
        web_limits = replace(WEB_LIMITS, **limits)
        self.clock = AdjustableClock(time.monotonic)
        listeners = Listeners(self.clock)
        self.blocks = build_page(editor, listeners, web_limits, self.jobs_folder)
        settings = {"prevent_thread_lock": True, "quiet": True, "inbrowser": False}
        # without `_frontend`, Gradio does not request its own page first, which times out on a busy machine
        address = "127.0.0.1", free_port()
        _, self.url, _ = serve(self.blocks, listeners, routes, address, web_limits, _frontend=False, **settings)

    def connect(self) -> Client:
        """Return a new client of the named endpoints."""
        return Client(self.url, verbose=False, httpx_kwargs={"timeout": TIMEOUT})

    def get(self, path: str = "", **settings) -> httpx.Response:
        """Send a GET request to a path of the page."""
        return httpx.get(self.url + path, timeout=TIMEOUT, **settings)

    def post(self, path: str, **settings) -> httpx.Response:
        """Send a POST request to a path of the page."""
        return httpx.post(self.url + path, timeout=TIMEOUT, **settings)

    def close(self) -> None:
        """Stop serving, and let the work end that the editor holds."""
        self.editor.open_gates()
        self.blocks.close()

    def leftovers(self) -> list[Path]:
        return list(self.jobs_folder.iterdir())


def free_port() -> int:
    """Return a port that the system chooses. All processes of a test run would get the same one from Gradio."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
