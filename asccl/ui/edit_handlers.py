"""What the widgets of the Edit tab call.

The handlers keep no state of a request: the editor and the limits are the same for everybody, a person's choices stay
in their own browser, and their files in temporary folders of their own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import gradio as gr
from starlette.concurrency import run_in_threadpool

from asccl.errors import CancelledError, SettingError
from asccl.files import join_name
from asccl.types import GENERATORS, DetectedFace, EditRequest, EditResult, Image, MediaInfo, Preview, Progress
from asccl.ui.background import Superseding
from asccl.ui.components import (
    Value,
    comparison_value,
    note_line,
    player_value,
    progress_line,
    status_line,
)
from asccl.ui.file_box import file_value
from asccl.ui.hub_weights import generator_fields
from asccl.ui.job_runner import JobRunner
from asccl.ui.jobs import Job, JobProgress, JobWork
from asccl.ui.limits import check_media, check_upload
from asccl.ui.messages import describe_media, error_message, outside_range_note, still_suffix
from asccl.ui.places import POLL_INTERVAL, Caller, Places
from asccl.ui.report_html import report_html
from asccl.ui.widget_updates import LARGEST_FACE, face_gallery, hidden_gallery, time_sliders
from asccl.video.limits import Limits
from asccl.video.reader import Reader

FROM_REFERENCE = "reference"  # choice of the emotion buttons: the emotion of the reference alone
SLIDER_STEP = 0.01  # seconds
HIDDEN_NOTE = "The face cannot be edited at this moment: it is hidden, cut off or turned away. It stays unchanged."
MIN_PREVIEW_PRESENCE = 0.05  # below this, a preview does not differ visibly from its source
STAGE_SHARES = {"open": 0.02, "track": 0.3, "fit": 0.03, "render": 0.65}  # rough; for the progress bar only
STAGES = {
    "wait": "Waiting for other people's edits",
    "start": "Getting ready",
    "open": "Opening the file",
    "track": "Tracking the face",
    "fit": "Measuring the face",
    "render": "Changing the expression",
    "done": "Writing the file",
}


class EditorProtocol(Protocol):
    """What the app calls of an editor; `asccl.editing.editor.Editor` is one."""

    def probe(self, source: Path) -> MediaInfo: ...

    def faces(self, source: Path) -> list[DetectedFace]: ...

    def quick_preview(self, request: EditRequest, time: float, owner: str = "") -> Preview:
        """Show one frame before and after the edit; with the plain preset where its adaptation would take seconds.

        Args:
            request: what to edit and how.
            time: seconds after the first frame.
            owner: on whose behalf.
        """
        ...

    def preview(self, request: EditRequest, time: float, owner: str = "", progress: Progress | None = None) -> Preview:
        """Show one frame before and after the edit.

        Args:
            request: as in `quick_preview`.
            time: as in `quick_preview`.
            owner: as in `quick_preview`.
            progress: can cancel it.
        """
        ...

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult: ...


@dataclass(frozen=True)
class EditHandlers:
    """The handlers of the Edit tab.

    Attributes:
        editor: does the work.
        limits: of uploads.
        edits: runs the edits.
        looks: places for quick previews and for looking into a file.
        adaptations: places for adapting an edit to a face, for a preview.
        executor: threads for these.
        previews: lets a new preview of a page end the adaptation of an older one.
    """

    editor: EditorProtocol
    limits: Limits
    edits: JobRunner
    looks: Places
    adaptations: Places
    executor: Executor
    previews: Superseding = field(default_factory=Superseding)

    async def open(self, source: str | None, page: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Detect the faces of an uploaded source.

        Args:
            source: path of the upload.
            page: the page that asks; filled in by Gradio.

        Yields:
            Card, gallery of faces, chosen face, the time sliders (previewed time, start, end, their box), status line.
        """
        no_file = (None, *hidden_gallery(), *time_sliders(None))
        if not source:
            yield (*no_file, status_line("idle", ""))
            return
        yield (*[gr.skip()] * 7, status_line("busy", "Looking for faces…"))
        try:
            info, faces = await self._inspect(source, "video or photo", page)
        except Exception as error:
            yield (*no_file, status_line("failed", error_message(error)))
            return
        card = file_value(faces[0].thumbnail, info.path, describe_media(info), playable=not info.is_still)
        yield (card, *face_gallery(faces), *time_sliders(info), status_line("idle", ""))

    async def open_reference(self, reference: str | None, emotion: str, page: gr.Request) -> tuple[Any, Any, str]:
        """Detect the faces of a reference; a new reference chooses its emotion button, a removed one releases it.

        Args:
            reference: path of the upload.
            emotion: value of the emotion buttons.
            page: the page that asks; filled in by Gradio.

        Returns:
            Card, chosen emotion button, status line.
        """
        if not reference:
            return None, gr.skip() if emotion != FROM_REFERENCE else "happy", status_line("idle", "")
        try:
            info, faces = await self._inspect(reference, "reference", page)
        except Exception as error:
            return None, gr.skip(), status_line("failed", error_message(error))
        card = file_value(faces[0].thumbnail, info.path, describe_media(info), playable=not info.is_still)
        return card, FROM_REFERENCE, status_line("idle", "")

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
            page: the page that asks; filled in by Gradio.

        Returns:
            Value of the comparison; a line that explains what it shows or why there is none; whether
            `adapted_preview` will show another picture.
        """
        caller, moment = Caller.of(page), float(time or 0)
        self.previews.begin(caller.session)
        if not source:
            return None, "", False
        if emotion == FROM_REFERENCE and not reference:
            return gr.skip(), note_line("Add a reference clip or photo whose expression you like."), False
        settings = (source, emotion, reference, intensity, start, end, face, variant, generator, adapt)

        def look() -> tuple[Any, str, bool]:
            preview = self.editor.quick_preview(self._build_request(*settings), moment, caller.session)
            return *_show_preview(preview, moment, start, end), not preview.is_final

        try:
            with self.looks.ticket(caller) as ticket:
                await ticket.wait()
                return await run_in_threadpool(look)
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
            preview = self.editor.preview(self._build_request(*settings), moment, caller.session, progress)
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

    async def edit(
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
        badge: bool,
        consent: bool,
        page: gr.Request,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Edit the whole file. Closing this generator (cancel, a closed browser) stops the edit and deletes its files.

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
            badge: whether to print a visible mark.
            consent: whether the person confirmed that they may edit this face.
            page: the page that asks; filled in by Gradio.

        Yields:
            Edited file, report file, status line, value of the video player, value of the image comparison, report as
            HTML; while the edit is running, only the status line changes.

        Raises:
            gr.Error: one line for programs; people read the same in the status line.
        """

        def prepare() -> JobWork:
            settings = (source, emotion, reference, intensity, start, end, face, variant, generator, adapt)
            request = self._build_request(*settings)
            return lambda folder, progress: self._edit(replace(request, badge=bool(badge)), folder, progress)

        def show(progress: JobProgress) -> tuple[Any, ...]:
            line = progress_line(progress, STAGES)
            if progress.stage in ("wait", "start"):
                return None, None, line, None, None, ""
            return gr.skip(), gr.skip(), line, gr.skip(), gr.skip(), gr.skip()

        try:
            if not consent:
                raise SettingError("please confirm first that you may edit this face", "tick the box above the button")
            async for outputs in self.edits.run(Caller.of(page), prepare, show, self._present):
                yield outputs
        except Exception as error:
            text = error_message(error)
            yield (None, None, status_line("failed", text), None, None, "")
            raise gr.Error(text, visible=False, print_exception=False) from None

    def stop_jobs(self, page: gr.Request) -> None:
        """Stop the work for a closed page."""
        self.previews.end(page.session_hash or "")
        self.edits.stop(page.session_hash)

    async def _inspect(self, upload: str, kind: str, page: gr.Request) -> tuple[MediaInfo, list[DetectedFace]]:
        def inspect() -> tuple[MediaInfo, list[DetectedFace]]:
            path = check_upload(upload, kind)
            info = self.editor.probe(path)
            check_media(info, self.limits)
            return info, self.editor.faces(path)

        with self.looks.ticket(Caller.of(page)) as ticket:
            await ticket.wait()
            return await run_in_threadpool(inspect)

    def _edit(self, request: EditRequest, folder: Path, progress: Progress) -> tuple[EditRequest, EditResult]:
        """Edit in the thread of a job; the file is named after the upload."""
        info = self.editor.probe(request.source)
        check_media(info, self.limits)
        suffix = still_suffix(request.source) if info.is_still else ".mp4"
        output = folder / join_name(request.source.stem, f"-edited{suffix}")
        return request, self.editor.edit(replace(request, output=output), progress)

    def _present(self, job: Job) -> tuple[Any, ...]:
        """The last value that `edit` yields."""
        request, result = job.result
        report = result.output.with_suffix(".json")
        report.write_text(json.dumps(result.report, indent=1), encoding="utf-8")
        player: Value | None = None
        comparison: Value | None = None
        if self.editor.probe(request.source).is_still:
            comparison = comparison_value(_read_still(request.source), _read_still(result.output), "The photo")
        else:
            player = player_value(request.source, result.output)
        done = status_line("done", "Done. The result is below, ready to download.")
        return str(result.output), str(report), done, player, comparison, report_html(result.report)

    def _build_request(
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
    ) -> EditRequest:
        """Convert widget values. Raises SettingError, UnreadableError and WeightsError."""
        path = check_upload(source, "video or photo")
        end_time = float(end or 0)
        reaches_end = end_time <= 0 or end_time >= self.editor.probe(path).duration - SLIDER_STEP
        return EditRequest(
            source=path,
            emotion=None if emotion == FROM_REFERENCE else emotion,
            reference=check_upload(reference, "reference") if reference else None,
            intensity=float(intensity),
            start=float(start or 0),
            end=None if reaches_end else end_time,
            face=None if face == LARGEST_FACE else int(face),
            seed=int(variant or 0),
            adapt=bool(adapt),
            **generator_fields(generator or GENERATORS[0]),
        )


def _show_preview(preview: Preview, moment: float, start: float, end: float) -> tuple[Any, str]:
    """Value of the comparison and line for a preview of a moment. start, end: of the time range."""
    hidden = preview.presence < MIN_PREVIEW_PRESENCE
    note = HIDDEN_NOTE if hidden else outside_range_note(moment, start, end)
    return comparison_value(preview.source, preview.edited, "Preview of one frame"), note_line(note)


def _read_still(path: Path) -> Image:
    """(H, W, 3) uint8 RGB."""
    with Reader(path) as reader:
        return next(iter(reader)).image
