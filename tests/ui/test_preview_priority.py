"""Moving previews run behind the quick previews of others."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coroutines import run_coroutine
from fake_editor import FakeEditor

from asccl.types import EditRequest
from asccl.ui.background import INSPECTION_NICENESS, background_executor
from asccl.ui.edit_requests import EditSettings
from asccl.ui.places import Places
from asccl.ui.preview_handlers import PreviewHandlers


class RecordingEditor(FakeEditor):
    """Notes the priority of the thread that makes a moving preview."""

    niceness: int | None = None

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        self.niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_a_moving_preview_is_made_in_a_thread_of_low_priority(media):
    editor = RecordingEditor()
    with background_executor(1, INSPECTION_NICENESS) as threads:
        inspections = Places(1, 9, 9, executor=threads)
        handlers = PreviewHandlers(editor, Places(1, 9, 9), inspections, Places(1, 9, 9), threads)
        page: Any = SimpleNamespace(session_hash="page", client=None)
        settings = EditSettings(str(media / "talk.mp4"), "sad", None, 1, 0, 0, -1, 0, "warp", False, "", "")

        async def show() -> None:
            async for _ in handlers.preview_clip(*vars(settings).values(), 0.5, page):
                pass

        run_coroutine(show())
    assert editor.niceness == INSPECTION_NICENESS
