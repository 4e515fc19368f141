"""What the widgets of the Edit tab call for previews. Like `edit_handlers`, they keep no state of a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from asccl.errors import CancelledError, SettingError
from asccl.progress import Progress
from asccl.types import EditRequest, Preview
from asccl.ui.background import Superseding
from asccl.ui.components import comparison_value, note_line, status_line
from asccl.ui.edit_requests import MISSING_REFERENCE, EditorProtocol, EditSettings
from asccl.ui.messages import error_message, outside_range_note
from asccl.ui.places import POLL_INTERVAL, Caller, Places
from asccl.ui.setting_arguments import takes_settings

PREVIEW_TEXT = "Preview of one frame"
FITTING_NOTE = "A first impression: the expression is being fitted to this face…"
HIDDEN_NOTE = "The face cannot be edited at this moment: it is hidden, cut off or turned away. It stays unchanged."
MIN_PREVIEW_PRESENCE = 0.05  # below this, a preview does not differ visibly from its source


@dataclass(frozen=True)
class PreviewHandlers:
    """The handlers of previews.

    Attributes:
        editor: does the work.
        looks: places for quick previews.
        inspections: places for the first preview of a file and for moving ones, which take seconds.
        adaptations: places for adapting an edit to a face.
        executor: threads for these.
        folder: where moving previews are written before Gradio copies them; None takes the system's place.
        previews: lets a new preview of a page end the adaptation of an older one.
    """

    editor: EditorProtocol
    looks: Places
    inspections: Places
    adaptations: Places
    executor: Executor
    folder: Path | None = None
    previews: Superseding = field(default_factory=Superseding)

    @takes_settings(EditSettings)
    async def preview(self, settings: EditSettings, time: float, page: gr.Request) -> tuple[Any, str, bool]:
        """Edit one frame; where adapting the edit to the face takes seconds, show the plain preset.

        Args:
            settings: of the edit.
            time: seconds, the frame to edit.
            page: the page that asks; filled in by Gradio.

        Returns:
            Value of the comparison; a line that explains what it shows or why there is none; whether
            `adapted_preview` will show another picture.
        """
        caller, moment = Caller.of(page), float(time or 0)
        self.previews.begin(caller.session, (settings, moment))
        if settings.lacks_reference:
            return None, note_line(error_message(SettingError(*MISSING_REFERENCE))), False
        if not settings.source:
            return None, "", False

        def look(request: EditRequest) -> tuple[Any, str, bool]:
            preview = self.editor.quick_preview(request, moment, caller.session)
            return *_show_preview(preview, moment, settings), not preview.is_final

        def look_if_fitted() -> tuple[Any, str, bool] | EditRequest:
            request = settings.request(self.editor)
            return look(request) if self.editor.is_fitted(request) else request

        try:
            result = await self.looks.run(caller, look_if_fitted)
            if isinstance(result, EditRequest):  # its face is fitted at a place where quick previews need not wait
                await self.inspections.run(caller, self.editor.fit_face, result, caller.session)
                result = await self.looks.run(caller, look, result)
            return result
        except SettingError as error:
            return gr.skip(), note_line(error_message(error), failed=True), False
        except Exception as error:
            return None, note_line(error_message(error), failed=True), False

    @takes_settings(EditSettings)
    async def adapted_preview(
        self, settings: EditSettings, time: float, is_needed: bool, page: gr.Request
    ) -> tuple[Any, Any]:
        """Edit one frame as the finished edit does. A new preview of the page ends this one.

        Args:
            settings: of the edit.
            time: seconds, the frame to edit.
            is_needed: False where `preview` has shown the same picture.
            page: the page that asks; filled in by Gradio.

        Returns:
            Value of the comparison and line; unchanged where a newer preview has begun.
        """
        unchanged = gr.skip(), gr.skip()
        if not (settings.source and is_needed):
            return unchanged
        caller, moment = Caller.of(page), float(time or 0)
        superseded = self.previews.latest(caller.session)

        def work() -> tuple[Any, Any]:
            progress = Progress(cancelled=superseded.is_set)
            preview = self.editor.preview(settings.request(self.editor), moment, caller.session, progress)
            return unchanged if superseded.is_set() else _show_preview(preview, moment, settings)

        try:
            with self.adaptations.ticket(caller) as ticket:
                while not ticket.is_ready:
                    self.adaptations.check_listener(ticket)
                    await asyncio.sleep(POLL_INTERVAL)
                    if superseded.is_set():
                        return unchanged
                return await asyncio.wrap_future(self.executor.submit(work))
        except CancelledError:
            return unchanged
        except SettingError:
            return gr.skip(), note_line("")
        except Exception as error:
            return None, note_line(error_message(error), failed=True)

    @takes_settings(EditSettings)
    async def preview_clip(
        self, settings: EditSettings, time: float, page: gr.Request
    ) -> AsyncIterator[tuple[Any, str]]:
        """Edit two seconds of a video, to be played in a loop.

        Args:
            settings: of the edit.
            time: seconds, the middle of the part.
            page: the page that asks; filled in by Gradio.

        Yields:
            Value of the moving preview, and a line with an error or nothing.
        """
        caller = Caller.of(page)

        def make(output: Path) -> None:
            self.editor.preview_clip(settings.request(self.editor), float(time or 0), output, caller.session)

        yield None, status_line("busy", "Making two seconds…")
        try:
            with TemporaryDirectory(prefix="asccl-run-", dir=self.folder) as folder:
                output = Path(folder, "preview.mp4")
                await self.inspections.run(caller, make, output)
                yield {"video": FileData(path=str(output), orig_name=output.name).model_dump()}, ""
        except Exception as error:
            yield None, note_line(error_message(error), failed=True)

    def end(self, page: gr.Request) -> None:
        """End the adaptation for a closed page."""
        self.previews.end(page.session_hash or "")


def _show_preview(preview: Preview, moment: float, settings: EditSettings) -> tuple[Any, str]:
    """Value of the comparison and line for a preview of a moment."""
    hidden = preview.presence < MIN_PREVIEW_PRESENCE
    note = HIDDEN_NOTE if hidden else outside_range_note(moment, settings.start, settings.end)
    line = note_line(note) if note or preview.is_final else status_line("busy", FITTING_NOTE)
    return comparison_value(preview.source, preview.edited, PREVIEW_TEXT, preview.box), line
