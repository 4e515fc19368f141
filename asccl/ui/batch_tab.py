"""The tab of several files: its widgets, and which handler each of them calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from asccl.ui.batch_handlers import MAX_FILES, BatchHandlers, BatchSettings
from asccl.ui.components import html_widget, note_line, status_line, text_widget
from asccl.ui.messages import CANCELLED, error_message
from asccl.video.limits import Limits

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class BatchWidgets:
    """The widgets of the tab."""

    tab: gr.Tab
    files: gr.File
    settings: gr.HTML
    consent: gr.Checkbox
    start: gr.Button
    cancel: gr.Button
    status: gr.HTML
    table: gr.HTML
    archive: gr.DownloadButton


def build_batch_tab(limits: Limits) -> BatchWidgets:
    """Build the tab inside the current `gr.Tabs`."""
    with gr.Tab("Several files", id="batch") as tab, gr.Column(elem_id="batch"):
        text_widget(
            f"Edit up to {MAX_FILES} videos or photos with the settings of the Edit tab. "
            "The largest face of each file changes."
        )
        settings = html_widget("", elem_id="batch-settings")
        files = gr.File(
            label=f"Videos or photos, up to {limits.max_bytes // 2**20} MB each",
            file_count="multiple",
            height=180,
            elem_id="batch-files",
        )
        consent = gr.Checkbox(label="I may edit these faces and will deceive nobody", elem_id="batch-consent")
        with gr.Row():
            start = gr.Button("Edit all files", variant="primary", elem_id="batch-start", scale=3)
            cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="batch-cancel", scale=1, min_width=96)
        status = html_widget(status_line("idle", ""), elem_id="batch-status")
        table = html_widget("", elem_id="batch-table")
        archive = gr.DownloadButton("Download all as a zip", variant="primary", visible=False, elem_id="batch-download")
    return BatchWidgets(tab, files, settings, consent, start, cancel, status, table, archive)


def connect_batch_tab(w: BatchWidgets, handlers: BatchHandlers, settings: list[Any]) -> None:
    """Connect events to handlers. The public endpoint is /batch.

    Args:
        w: the widgets.
        handlers: do the work.
        settings: widgets of the Edit tab: emotion, reference, intensity, variant, generator, adapt, expression, badge.
    """
    w.tab.select(_show_settings, settings, [w.settings], queue=False, **HIDDEN)
    # another choice of files needs another consent; in the browser, because an answer of the server could come late
    w.files.change(None, None, [w.consent], js="() => false", **HIDDEN)
    w.files.change(_hide_archive, None, [w.archive], queue=False, **HIDDEN)
    begin = w.start.click(_show_start, None, [w.start, w.cancel, w.status, w.archive], queue=False, **HIDDEN)
    work = begin.then(
        handlers.edit_all,
        [*settings, w.files, w.consent],
        [w.archive, w.table, w.status],
        api_name="batch",
        show_progress="hidden",
        concurrency_limit=None,
    )
    work.success(_show_archive, [w.archive], [w.archive], queue=False, **HIDDEN)
    for end in (work.success, work.failure):
        end(_show_idle, None, [w.start, w.cancel], queue=False, **HIDDEN)
    cancel = w.cancel.click(None, None, None, cancels=[work], **HIDDEN)
    cancel.then(_show_cancelled, None, [w.start, w.cancel, w.status], queue=False, **HIDDEN)


def _show_settings(*settings: Any) -> str:
    try:
        return note_line(f"Settings: {BatchSettings(*settings).describe()}.")
    except Exception as error:
        return note_line(error_message(error), failed=True)


def _show_start() -> tuple[Any, Any, str, Any]:
    line = status_line("busy", "Waiting for the server", 0.0)
    return gr.Button(interactive=False), gr.Button(visible=True), line, gr.DownloadButton(visible=False)


def _show_idle() -> tuple[Any, Any]:
    return gr.Button(interactive=True), gr.Button(visible=False)


def _show_cancelled() -> tuple[Any, Any, str]:
    return *_show_idle(), status_line("stopped", CANCELLED)


def _hide_archive() -> Any:
    return gr.DownloadButton(visible=False)


def _show_archive(archive: str | None) -> Any:
    return gr.DownloadButton(visible=archive is not None)
