"""The events of the Edit tab: which handler each widget calls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from asccl.ui.components import status_line
from asccl.ui.edit_handlers import FROM_REFERENCE, EditHandlers
from asccl.ui.edit_widgets import EditWidgets
from asccl.ui.examples import load_example
from asccl.ui.hub_weights import connect_hub_widgets
from asccl.ui.messages import CANCELLED
from asccl.ui.widget_updates import LARGEST_FACE

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
SCROLL_TO_RESULT = "() => document.getElementById('result-panel')?.scrollIntoView({behavior: 'smooth', block: 'start'})"


def connect_edit_tab(widgets: EditWidgets, handlers: EditHandlers) -> None:
    """Connect events to handlers. The public endpoints are /faces, /preview, /adapted_preview and /edit."""
    _connect_render(widgets, handlers)
    _connect_source(widgets, handlers)
    _connect_controls(widgets, handlers)


def _settings(w: EditWidgets) -> list[Any]:
    """The inputs that `EditHandlers.preview` and `EditHandlers.edit` share, in their order."""
    return [w.source, w.emotion, w.reference, w.intensity, w.start, w.end, w.face, w.variant, w.generator, w.adapt]


def _connect_render(w: EditWidgets, handlers: EditHandlers) -> None:
    start = w.render.click(_show_start, None, [w.render, w.cancel, w.status], queue=False, **HIDDEN)
    edit = start.then(
        handlers.edit,
        [*_settings(w), w.badge, w.consent],
        [w.video, w.report, w.status, w.player, w.still, w.metrics],
        api_name="edit",
        show_progress="hidden",
        concurrency_limit=None,
    )
    success = edit.success(lambda: gr.Column(visible=True), None, [w.result], queue=False, **HIDDEN)
    success.then(None, js=SCROLL_TO_RESULT, **HIDDEN)
    for end in (edit.success, edit.failure):  # `then` does not follow a generator that fails
        end(_show_idle, None, [w.render, w.cancel], queue=False, **HIDDEN)
    # The status changes after the edit has ended, because the edit's last message would overwrite it.
    cancel = w.cancel.click(None, None, None, cancels=[edit], **HIDDEN)
    cancel.then(_show_cancelled, None, [w.render, w.cancel, w.status], queue=False, **HIDDEN)
    # A new source cancels the edit of the previous one. This event is registered before those that open the file.
    replace = w.source.change(None, None, None, cancels=[edit], **HIDDEN)
    replace.then(_clear_result, None, [w.render, w.cancel, w.status, w.result], queue=False, **HIDDEN)


def _connect_source(w: EditWidgets, handlers: EditHandlers) -> None:
    opened = w.source.change(
        handlers.open,
        [w.source],
        [w.card, w.gallery, w.face, w.time, w.start, w.end, w.time_range, w.source_note],
        api_name="faces",
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
    )
    first = opened.then(
        handlers.preview,
        [*_settings(w), w.time],
        [w.comparison, w.preview_note, w.is_plain_preview],
        api_name="first_preview",
        concurrency_limit=None,
        **HIDDEN,
    )
    _adapt_after(first, w, handlers, "first_adapted_preview")
    w.webcam.stop_recording(lambda recording: recording, [w.webcam], [w.source], **HIDDEN)
    w.examples.pick(load_example, None, [w.source, w.emotion], queue=False, **HIDDEN)
    w.gallery.select(_select_face, None, [w.face], queue=False, **HIDDEN)


def _connect_controls(w: EditWidgets, handlers: EditHandlers) -> None:
    preview = gr.on(
        [widget.change for widget in (*_settings(w)[1:], w.time)],
        handlers.preview,
        [*_settings(w), w.time],
        [w.comparison, w.preview_note, w.is_plain_preview],
        api_name="preview",
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
    )
    _adapt_after(preview, w, handlers, "adapted_preview")
    w.reference.change(
        handlers.open_reference,
        [w.reference, w.emotion],
        [w.reference_card, w.emotion, w.reference_note],
        concurrency_limit=None,
        **HIDDEN,
    )
    connect_hub_widgets(w.hub, w.generator, handlers.looks, **HIDDEN)
    w.emotion.input(_open_reference_box, [w.emotion], [w.reference_box], queue=False, **HIDDEN)


def _adapt_after(preview: Any, w: EditWidgets, handlers: EditHandlers, api_name: str) -> None:
    """Show the adapted edit after a quick preview; a next preview does not wait for it."""
    preview.then(
        handlers.adapted_preview,
        [*_settings(w), w.time, w.is_plain_preview],
        [w.comparison, w.preview_note],
        api_name=api_name,
        show_progress="hidden",
        api_visibility="public" if api_name == "adapted_preview" else "private",
        trigger_mode="multiple",
        concurrency_limit=None,
    )


def _show_start() -> tuple[Any, Any, str]:
    return gr.Button(interactive=False), gr.Button(visible=True), status_line("busy", "Waiting for the server", 0.0)


def _show_idle() -> tuple[Any, Any]:
    return gr.Button(interactive=True), gr.Button(visible=False)


def _show_cancelled() -> tuple[Any, Any, str]:
    return *_show_idle(), status_line("stopped", CANCELLED)


def _clear_result() -> tuple[Any, Any, str, Any]:
    return *_show_idle(), status_line("idle", ""), gr.Column(visible=False)


def _open_reference_box(emotion: str) -> Any:
    """Show where to put the reference when its emotion is chosen."""
    return gr.Accordion(open=True) if emotion == FROM_REFERENCE else gr.skip()


def _select_face(event: gr.SelectData) -> int:
    return event.index if isinstance(event.index, int) else LARGEST_FACE
