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
from starlette.concurrency import run_in_threadpool

from asccl.errors import CancelledError, SettingError
from asccl.types import EditRequest, Preview, Progress
from asccl.ui.background import Superseding
from asccl.ui.components import comparison_value, note_line, status_line
from asccl.ui.edit_requests import FROM_REFERENCE, MISSING_REFERENCE, EditorProtocol, build_request
from asccl.ui.messages import error_message, outside_range_note
from asccl.ui.places import POLL_INTERVAL, Caller, Places

PREVIEW_TEXT = "Preview of one frame"
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

    async def preview(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str,
        adapt: bool,
        time: float,
        expression: str,
        keyframes: str,
        page: gr.Request,
    ) -> tuple[Any, str, bool]:
        """Edit one frame; where adapting the edit to the face takes seconds, show the plain preset.

        Args:
            source: path of the uploaded video or photo.
            emotion: one of the emotions, or "reference" for the emotion of the reference alone.
            reference: path of the uploaded reference.
            intensity: 0 to 2.
            start: seconds, start of the edited time range.
            end: seconds, its end; 0 is the end of the video.
            face: number of the face as listed by /faces; -1 is the largest.
            variant: number of the variant of the emotion, 0 or more.
            generator: one of `GENERATORS`.
            adapt: whether to fit the preset to this face.
            time: seconds, the frame to edit.
            expression: JSON of second_emotion, second_share and groups; empty for none.
            keyframes: JSON of keyframes, [[seconds, intensity], ...]; empty for none.
            page: the page that asks; filled in by Gradio.

        Returns:
            Value of the comparison; a line that explains what it shows or why there is none; whether
            `adapted_preview` will show another picture.
        """
        caller, moment = Caller.of(page), float(time or 0)
        self.previews.begin(caller.session)
        if emotion == FROM_REFERENCE and not reference:
            return None, note_line(error_message(SettingError(*MISSING_REFERENCE))), False
        if not source:
            return None, "", False
        settings = (source, emotion, reference, intensity, start, end, face, variant, generator, adapt)

        try:
            request = await self._fitted_request(caller, settings, expression, keyframes)
            preview = await self.looks.run(caller, self.editor.quick_preview, request, moment, caller.session)
            return *_show_preview(preview, moment, start, end), not preview.is_final
        except SettingError as error:
            return gr.skip(), note_line(error_message(error), failed=True), False
        except Exception as error:
            return None, note_line(error_message(error), failed=True), False

    async def adapted_preview(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str,
        adapt: bool,
        time: float,
        is_needed: bool,
        expression: str,
        keyframes: str,
        page: gr.Request,
    ) -> tuple[Any, Any]:
        """Edit one frame as the finished edit does. A new preview of the page ends this one.

        Args:
            source: as in `preview`.
            emotion: as in `preview`.
            reference: as in `preview`.
            intensity: as in `preview`.
            start: as in `preview`.
            end: as in `preview`.
            face: as in `preview`.
            variant: as in `preview`.
            generator: as in `preview`.
            adapt: as in `preview`.
            time: as in `preview`.
            is_needed: False where `preview` has shown the same picture.
            expression: as in `preview`.
            keyframes: as in `preview`.
            page: the page that asks; filled in by Gradio.

        Returns:
            Value of the comparison and line; unchanged where a newer preview has begun.
        """
        unchanged = gr.skip(), gr.skip()
        if not (source and is_needed):
            return unchanged
        settings = (source, emotion, reference, intensity, start, end, face, variant, generator, adapt)
        caller, moment = Caller.of(page), float(time or 0)
        superseded = self.previews.latest(caller.session)

        def work() -> tuple[Any, Any]:
            progress = Progress(cancelled=superseded.is_set)
            request = build_request(self.editor, *settings, expression, keyframes)
            preview = self.editor.preview(request, moment, caller.session, progress)
            return unchanged if superseded.is_set() else _show_preview(preview, moment, start, end)

        try:
            with self.adaptations.ticket(caller) as ticket:
                while not ticket.is_ready:
                    await asyncio.sleep(POLL_INTERVAL)
                    if superseded.is_set():
                        return unchanged
                return await asyncio.wrap_future(self.executor.submit(work))
        except (CancelledError, SettingError):
            return unchanged
        except Exception as error:
            return None, note_line(error_message(error), failed=True)

    async def preview_clip(
        self,
        source: str | None,
        emotion: str,
        reference: str | None,
        intensity: float,
        start: float,
        end: float,
        face: float,
        variant: float,
        generator: str,
        adapt: bool,
        time: float,
        expression: str,
        keyframes: str,
        page: gr.Request,
    ) -> AsyncIterator[tuple[Any, str]]:
        """Edit two seconds of a video, to be played in a loop.

        Args:
            source: as in `preview`.
            emotion: as in `preview`.
            reference: as in `preview`.
            intensity: as in `preview`.
            start: as in `preview`.
            end: as in `preview`.
            face: as in `preview`.
            variant: as in `preview`.
            generator: as in `preview`.
            adapt: as in `preview`.
            time: seconds, the middle of the part.
            expression: as in `preview`.
            keyframes: as in `preview`.
            page: the page that asks; filled in by Gradio.

        Yields:
            Value of the moving preview, and a line with an error or nothing.
        """
        settings = (source, emotion, reference, intensity, start, end, face, variant, generator, adapt)
        caller = Caller.of(page)
        yield None, status_line("busy", "Making two seconds…")
        try:
            request = await self._fitted_request(caller, settings, expression, keyframes)
            with (
                self.inspections.ticket(caller) as ticket,
                TemporaryDirectory(prefix="asccl-run-", dir=self.folder) as folder,
            ):
                await ticket.wait()
                output = Path(folder, "preview.mp4")
                await run_in_threadpool(self.editor.preview_clip, request, float(time or 0), output, caller.session)
                yield {"video": FileData(path=str(output), orig_name=output.name).model_dump()}, ""
        except Exception as error:
            yield None, note_line(error_message(error), failed=True)

    async def _fitted_request(
        self, caller: Caller, settings: tuple[Any, ...], expression: str, keyframes: str
    ) -> EditRequest:
        """Build a request, and fit its face at a place of its own, so that quick previews of others need not wait.

        Args:
            caller: who asks.
            settings: as `build_request` takes them, from source to adapt.
            expression: as in `preview`.
            keyframes: as in `preview`.
        """
        request = await self.looks.run(caller, build_request, self.editor, *settings, expression, keyframes)
        if not self.editor.is_fitted(request):
            await self.inspections.run(caller, self.editor.fit_face, request, caller.session)
        return request

    def end(self, page: gr.Request) -> None:
        """End the adaptation for a closed page."""
        self.previews.end(page.session_hash or "")


def _show_preview(preview: Preview, moment: float, start: float, end: float) -> tuple[Any, str]:
    """Value of the comparison and line for a preview of a moment. start, end: of the time range."""
    hidden = preview.presence < MIN_PREVIEW_PRESENCE
    note = HIDDEN_NOTE if hidden else outside_range_note(moment, start, end)
    return comparison_value(preview.source, preview.edited, PREVIEW_TEXT, preview.box), note_line(note)
