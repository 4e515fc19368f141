"""The places and the priority of previews: quick ones wait once, moving ones run behind those of others."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coroutines import run_coroutine
from fake_editor import FakeEditor

from asccl.types import EditRequest
from asccl.ui.background import INSPECTION_NICENESS, background_executor, lower_priority
from asccl.ui.edit_requests import EditSettings
from asccl.ui.jobs import Job
from asccl.ui.places import Caller, Places, Ticket
from asccl.ui.preview_handlers import PreviewHandlers

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")


class RecordingEditor(FakeEditor):
    """Notes the priority of the thread that makes a moving preview."""

    niceness: int | None = None

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        self.niceness = own_niceness()


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


def own_niceness(*_: Any) -> int:
    """The niceness of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@linux_only
def test_an_edit_has_the_lowest_priority(tmp_path):
    """With a niceness of 10, each of its threads would still get a tenth of a processor beside a preview."""
    job = Job(own_niceness, tmp_path, {})
    job.wait(60)
    assert job.result == 19


@linux_only
def test_a_program_that_was_started_with_a_low_priority_keeps_it():
    """An ordinary user may not raise it, and the thread would fail."""

    def lower_twice() -> int:
        lower_priority(17)
        lower_priority(INSPECTION_NICENESS)
        return own_niceness()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lower_twice).result() == 17


@linux_only
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
