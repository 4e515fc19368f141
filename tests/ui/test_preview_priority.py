"""The places and the priority of previews: quick ones wait once, moving ones run behind those of others."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coroutines import run_coroutine
from fake_editor import FakeEditor

from asccl.types import EditRequest
from asccl.ui.background import INSPECTION_NICENESS, background_executor
from asccl.ui.edit_requests import EditSettings
from asccl.ui.places import Caller, Places, Ticket
from asccl.ui.preview_handlers import PreviewHandlers


class RecordingEditor(FakeEditor):
    """Notes the priority of the thread that makes a moving preview."""

    niceness: int | None = None

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        self.niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class CountingPlaces(Places):
    """Counts its tickets."""

    tickets = 0

    def ticket(self, caller: Caller) -> AbstractContextManager[Ticket]:
        self.tickets += 1
        return super().ticket(caller)


def settings_of(source: Path) -> EditSettings:
    """The settings of a plain edit."""
    return EditSettings(str(source), "sad", None, 1, 0, 0, -1, 0, "warp", False, "", "")


def test_a_preview_of_a_fitted_face_waits_for_a_place_once(media):
    editor, looks = FakeEditor(fitted={media / "talk.mp4"}), CountingPlaces(1, 9, 9)
    with background_executor(1) as threads:
        handlers = PreviewHandlers(editor, looks, Places(1, 9, 9), Places(1, 9, 9), threads)
        page: Any = SimpleNamespace(session_hash="page", client=None)
        run_coroutine(handlers.preview(*vars(settings_of(media / "talk.mp4")).values(), 0.5, page))
    assert looks.tickets == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_a_moving_preview_is_made_in_a_thread_of_low_priority(media):
    editor = RecordingEditor()
    with background_executor(1, INSPECTION_NICENESS) as threads:
        inspections = Places(1, 9, 9, executor=threads)
        handlers = PreviewHandlers(editor, Places(1, 9, 9), inspections, Places(1, 9, 9), threads)
        page: Any = SimpleNamespace(session_hash="page", client=None)

        async def show() -> None:
            async for _ in handlers.preview_clip(*vars(settings_of(media / "talk.mp4")).values(), 0.5, page):
                pass

        run_coroutine(show())
    assert editor.niceness == INSPECTION_NICENESS
