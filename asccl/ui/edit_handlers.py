"""What the widgets of the Edit tab call.

The handlers keep no state of a request: the editor and the limits are the same for everybody, a person's choices stay
in their own browser, and their files in temporary folders of their own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.errors import CancelledError, SettingError
from asccl.files import join_name
from asccl.progress import Progress
from asccl.types import DetectedFace, EditRequest, EditResult, MediaInfo
from asccl.ui.components import progress_line, status_line
from asccl.ui.edit_requests import FROM_REFERENCE, EditorProtocol, EditSettings
from asccl.ui.examples import EXAMPLES_FOLDER
from asccl.ui.file_box import file_value
from asccl.ui.job_runner import JobRunner, ReplacedError
from asccl.ui.jobs import Job, JobProgress, JobWork
from asccl.ui.limits import check_media, check_upload
from asccl.ui.messages import error_message, format_media, still_suffix
from asccl.ui.places import Caller, Places
from asccl.ui.result_widgets import result_value
from asccl.ui.setting_arguments import takes_settings
from asccl.ui.widget_updates import face_gallery, hidden_gallery, time_sliders
from asccl.video.limits import Limits

_NOTHING_NEW = (gr.skip(), gr.skip())  # edited file and report
STAGE_SHARES = {"open": 0.02, "track": 0.3, "fit": 0.03, "render": 0.65}  # rough; for the progress bar only
STAGES = {
    "wait": "Waiting for your turn: the server makes one video at a time",
    "start": "Getting ready",
    "open": "Opening the file",
    "track": "Tracking the face",
    "fit": "Measuring the face",
    "render": "Changing the expression",
    "done": "Writing the file",
}


@dataclass(frozen=True)
class EditHandlers:
    """The handlers of the Edit tab.

    Attributes:
        editor: does the work.
        limits: of uploads.
        edits: runs the edits.
        inspections: places for detecting the faces of a file.
        downloads: places for weights from the Hub.
    """

    editor: EditorProtocol
    limits: Limits
    edits: JobRunner
    inspections: Places
    downloads: Places

    async def open(self, source: str | None, page: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Detect the faces of an uploaded source.

        Args:
            source: path of the upload.
            page: the page that asks; filled in by Gradio.

        Yields:
            Card, gallery of faces, chosen face, the time controls (previewed time, start, end, their box, the
            button of the moving preview), status line.
        """
        no_file = (None, *hidden_gallery(), *time_sliders(None))
        if not source:
            yield (*no_file, status_line("idle", ""))
            return
        yield (*[gr.skip()] * 8, status_line("busy", "Looking for faces…"))
        try:
            info, faces = await self._inspect(source, "video or photo", page)
        except Exception as error:
            yield (*no_file, status_line("failed", error_message(error)))
            return
        card = file_value(faces[0].thumbnail, info.path, format_media(info), playable=not info.is_still)
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
        card = file_value(faces[0].thumbnail, info.path, format_media(info), playable=not info.is_still)
        return card, FROM_REFERENCE, status_line("idle", "")

    @takes_settings(EditSettings)
    async def edit(
        self, settings: EditSettings, badge: bool, consent: bool, visit: str, page: gr.Request
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Edit the whole file. Closing this generator stops the edit and deletes its files, unless a visit is named.

        Args:
            settings: of the edit.
            badge: whether to print a visible mark.
            consent: whether the person confirmed that they may edit this face.
            visit: random key by which another page may follow this edit after a reload; empty for none.
            page: the page that asks; filled in by Gradio.

        Yields:
            Edited file, report file, status line, value of the strip of results; while the edit is running, only the
            status line changes.

        Raises:
            gr.Error: one line for programs; people read the same in the status line.
        """

        def prepare() -> JobWork:
            request = replace(settings.request(self.editor), badge=bool(badge))
            return lambda folder, progress: self._edit(request, folder, progress)

        def present(job: Job) -> tuple[Any, ...]:
            return self._present(job, {**asdict(settings), "badge": badge})

        try:
            if not consent:
                raise SettingError("please confirm first that you may edit this face", "tick the box above the button")
            async for outputs in self.edits.run(Caller.of(page), prepare, _show_progress, present, visit or ""):
                yield outputs
        except Exception as error:
            yield _show_error(error)
            raise gr.Error(error_message(error), visible=False, print_exception=False) from None

    async def resume(self, visit: str, page: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        """Follow an edit that a page of the same visit began before it was reloaded.

        Args:
            visit: key of the visit.
            page: the page that asks; filled in by Gradio.

        Yields:
            The outputs of `edit`, and updates of the buttons that start and cancel; no change without such an edit.
        """
        yield (gr.skip(),) * 6
        try:
            async for outputs in self.edits.resume(Caller.of(page), visit or "", _show_progress):
                yield *outputs, gr.Button(interactive=False), gr.Button(visible=True)
        except Exception as error:
            yield *_show_error(error), gr.skip(), gr.skip()

    async def cancel(self, visit: str) -> None:
        """Stop the edits of a visit, in the event loop of the jobs."""
        self.edits.stop_visit(visit or "")

    async def replace_source(self, visit: str) -> None:
        """Stop the edits of the file before, in the event loop of the jobs."""
        self.edits.stop_visit(visit or "", ReplacedError())

    def delete(self, files: list[str] | None) -> None:
        """Delete results of a visit, but no examples. Gradio has checked that it keeps these files for visitors."""
        for path in map(Path, files or []):
            if not path.is_relative_to(EXAMPLES_FOLDER):
                path.unlink(missing_ok=True)

    def stop_jobs(self, page: gr.Request) -> None:
        """Stop the edits of a closed page."""
        self.edits.stop(page.session_hash)

    async def _inspect(self, upload: str, kind: str, page: gr.Request) -> tuple[MediaInfo, list[DetectedFace]]:
        def inspect() -> tuple[MediaInfo, list[DetectedFace]]:
            path = check_upload(upload, kind)
            info = self.editor.probe(path)
            check_media(info, self.limits)
            return info, self.editor.faces(path)

        return await self.inspections.run(Caller.of(page), inspect)

    def _edit(self, request: EditRequest, folder: Path, progress: Progress) -> tuple[EditRequest, EditResult]:
        """Edit in the thread of a job; the file is named after the upload."""
        info = self.editor.probe(request.source)
        check_media(info, self.limits)
        suffix = still_suffix(request.source) if info.is_still else ".mp4"
        output = folder / join_name(request.source.stem, f"-edited{suffix}")
        return request, self.editor.edit(replace(request, output=output), progress)

    def _present(self, job: Job, settings: dict[str, Any]) -> tuple[Any, ...]:
        """The last value that `edit` yields."""
        request, result = job.result
        report = result.output.with_suffix(".json")
        report.write_text(json.dumps(result.report, indent=1), encoding="utf-8")
        value = result_value(request, result, report, self.editor.probe(request.source), settings)
        return str(result.output), str(report), status_line("done", "Done."), value


def _show_progress(progress: JobProgress) -> tuple[Any, ...]:
    """What `edit` yields while it runs: the last result stays until the next is ready."""
    return *_NOTHING_NEW, progress_line(progress, STAGES), gr.skip()


def _show_error(error: Exception) -> tuple[Any, ...]:
    """What `edit` yields when it ends without a result."""
    if isinstance(error, ReplacedError):
        return *_NOTHING_NEW, status_line("idle", ""), gr.skip()
    kind = "stopped" if isinstance(error, CancelledError) else "failed"
    return *_NOTHING_NEW, status_line(kind, error_message(error)), gr.skip()
