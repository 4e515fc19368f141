"""The events of the Edit tab: which handler each widget calls."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from asccl.ui.components import status_line
from asccl.ui.edit_handlers import EditHandlers
from asccl.ui.edit_requests import FROM_REFERENCE
from asccl.ui.edit_widgets import EditWidgets
from asccl.ui.examples import load_example
from asccl.ui.expert_controls import connect_expert_controls
from asccl.ui.hub_weights import FOR_EDITS, connect_hub_widgets
from asccl.ui.preview_handlers import PreviewHandlers
from asccl.ui.result_widgets import DISPLAY
from asccl.ui.widget_updates import LARGEST_FACE

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
SCROLL_TO_RESULT = "() => document.getElementById('result-panel')?.scrollIntoView({behavior: 'smooth', block: 'start'})"
SCROLL_TO_EXAMPLE = f"() => setTimeout({SCROLL_TO_RESULT}, 800)"  # its preview makes the page longer before
CLICK_RENDER = "() => setTimeout(() => document.getElementById('render').click(), 100)"
ASK_CONSENT = """() => {
  const box = document.querySelector('#consent input');
  if (!box.checked && document.querySelector('#status .failed')) box.focus();
}"""
STRONGER = """() => {
  const settings = window.asccl.shown.settings;
  return [settings.emotion, Math.min(2, Math.round(20 * (settings.intensity + 0.4)) / 20)];
}"""
MEASURING = status_line("busy", "Measuring the face for its first preview…")
SHOW_MEASURING = f"() => document.querySelector('#source .has-file') ? {json.dumps(MEASURING)} : ''"
# a file that was refused has no card, and is not looked at again: its error is shown once
# the file before a reload; otherwise no update: it could overwrite a file that was chosen while the page started
RESTORE_SOURCE = """(source) => {
  const earlier = window.asccl.earlierSource;
  return source || !earlier ? { __type__: "update" } : earlier;
}"""
PREVIEW_INPUTS = """(...values) => {
  const source = document.querySelector('#source .has-file') ? values[0] : null;
  return [source, ...values.slice(1, 13)];
}"""


def connect_edit_tab(page: gr.Blocks, widgets: EditWidgets, handlers: EditHandlers, previews: PreviewHandlers) -> None:
    """Connect events to handlers. The public endpoints are /faces, /preview, /adapted_preview and /edit.

    Gradio runs the handlers of one event in this order, and each waits until the one before has ended. What happens in
    the browser alone therefore comes first: it must not wait for a preview.

    Args:
        page: contains the widgets.
        widgets: of the tab.
        handlers: what they call.
        previews: what they call for previews.
    """
    _connect_history(widgets)
    _connect_resets(widgets)
    _connect_render(page, widgets, handlers)
    _connect_cancel(widgets, handlers)
    _connect_source(widgets, handlers, previews)
    _connect_controls(widgets, handlers, previews)
    _connect_results(widgets, handlers)


def _settings(w: EditWidgets) -> list[Any]:
    """The inputs that fill in `EditSettings`, in its order."""
    first = [w.source, w.emotion, w.reference, w.intensity, w.start, w.end, w.face, w.variant, w.generator, w.adapt]
    return [*first, w.expert.expression, w.curve.keyframes]


def _connect_render(page: gr.Blocks, w: EditWidgets, handlers: EditHandlers) -> None:
    """Let the button start an edit, and a reloaded page follow its own."""
    outputs = [w.video, w.report, w.status, w.results]
    start = w.render.click(_show_start, None, [w.render, w.cancel, w.status], queue=False, **HIDDEN)
    edit = start.then(
        handlers.edit,
        [*_settings(w), w.badge, w.consent, w.visit],
        outputs,
        api_name="edit",
        show_progress="hidden",
        concurrency_limit=None,
    )
    edit.success(None, js=SCROLL_TO_RESULT, **HIDDEN)
    edit.failure(None, js=ASK_CONSENT, **HIDDEN)
    settings = [*_settings(w), w.badge]
    linked = [w.emotion, w.intensity, w.variant, w.generator, w.adapt, w.badge, w.expert.expression]
    load = page.load(None, settings, [*linked, w.visit], js="(...values) => window.asccl.begin(...values)", **HIDDEN)
    resumed = load.then(handlers.resume, [w.visit], [*outputs, w.render, w.cancel], concurrency_limit=None, **HIDDEN)
    # after the edit: a new source would cancel it
    for event in (edit, resumed):
        for end in (event.success, event.failure):  # `then` does not follow a generator that fails
            idle = end(_show_idle, None, [w.render, w.cancel], queue=False, **HIDDEN)
            if event is resumed:
                idle.then(None, [w.source], [w.source], js=RESTORE_SOURCE, **HIDDEN)


def _connect_cancel(w: EditWidgets, handlers: EditHandlers) -> None:
    """Let the button and a new source cancel an edit.

    The server ends the jobs of the visit, and their events tell so. `cancels=` of Gradio would ask the server to end
    events whose identifiers the page does not know yet, which the server refuses.
    """
    w.cancel.click(handlers.cancel, [w.visit], None, queue=False, **HIDDEN)
    stop = w.source.change(handlers.replace_source, [w.visit], None, queue=False, **HIDDEN)
    stop.then(_show_ready, None, [w.render, w.cancel, w.status], queue=False, **HIDDEN)


def _connect_source(w: EditWidgets, handlers: EditHandlers, previews: PreviewHandlers) -> None:
    opened = w.source.change(
        handlers.open,
        [w.source],
        [w.card, w.gallery, w.face, w.time, w.start, w.end, w.time_range, w.move, w.source_note],
        api_name="faces",
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
    )
    measuring = opened.then(None, None, [w.preview_note], js=SHOW_MEASURING, **HIDDEN)
    first = measuring.then(
        previews.preview,
        [*_settings(w), w.time],
        [w.comparison, w.preview_note, w.is_plain_preview],
        api_name="first_preview",
        js=PREVIEW_INPUTS,
        concurrency_limit=None,
        **HIDDEN,
    )
    _adapt_after(first, w, previews, "first_adapted_preview")
    w.webcam.stop_recording(lambda recording: recording, [w.webcam], [w.source], **HIDDEN)
    loaded = [w.source, w.emotion, w.intensity, w.expert.expression, w.results]
    picked = w.examples.pick(load_example, None, loaded, queue=False, **HIDDEN)
    picked.success(None, js=SCROLL_TO_EXAMPLE, **HIDDEN)
    w.gallery.select(_select_face, None, [w.face], queue=False, **HIDDEN)


def _connect_controls(w: EditWidgets, handlers: EditHandlers, previews: PreviewHandlers) -> None:
    preview = gr.on(
        [widget.change for widget in (*_settings(w)[1:], w.time)],
        previews.preview,
        [*_settings(w), w.time],
        [w.comparison, w.preview_note, w.is_plain_preview],
        api_name="preview",
        js=PREVIEW_INPUTS,
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=None,
    )
    _adapt_after(preview, w, previews, "adapted_preview")
    w.move.click(
        previews.preview_clip,
        [*_settings(w), w.time],
        [w.moving, w.preview_note],
        concurrency_limit=None,
        **HIDDEN,
    )
    connect_expert_controls(w.expert, w.curve, w.source)
    w.reference.change(
        handlers.open_reference,
        [w.reference, w.emotion],
        [w.reference_card, w.emotion, w.reference_note],
        concurrency_limit=None,
        **HIDDEN,
    )
    connect_hub_widgets(w.hub, w.generator, handlers.downloads, FOR_EDITS, **HIDDEN)
    w.emotion.input(_open_reference_box, [w.emotion], [w.reference_box], queue=False, **HIDDEN)


def _adapt_after(preview: Any, w: EditWidgets, previews: PreviewHandlers, api_name: str) -> None:
    """Show the adapted edit after a quick preview; a next preview does not wait for it."""
    preview.then(
        previews.adapted_preview,
        [*_settings(w), w.time, w.is_plain_preview],
        [w.comparison, w.preview_note],
        api_name=api_name,
        show_progress="hidden",
        api_visibility="public" if api_name == "adapted_preview" else "private",
        trigger_mode="multiple",
        concurrency_limit=None,
    )


def _connect_history(w: EditWidgets) -> None:
    """Let the browser remember the settings: for undo, for links, and to tell a result from what is set now."""
    settings = [*_settings(w), w.badge]
    record = "(...values) => { window.asccl.record(...values); }"
    gr.on([widget.change for widget in settings], None, settings, None, js=record, queue=False, **HIDDEN)
    w.undo.click(None, None, settings, js="() => window.asccl.undo()", **HIDDEN)
    w.start_over.click(None, None, settings, js="() => window.asccl.startOver()", **HIDDEN)
    w.link.click(None, js="() => window.asccl.copyLink()", **HIDDEN)


def _connect_resets(w: EditWidgets) -> None:
    """Take back what holds for other settings only."""
    w.source.change(None, None, [w.consent], js="() => false", **HIDDEN)  # another face needs another consent
    stale = [widget.change for widget in (*_settings(w), w.time)]
    gr.on(stale, None, None, [w.moving], js="() => null", queue=False, **HIDDEN)


def _connect_results(w: EditWidgets, handlers: EditHandlers) -> None:
    w.results.pick(None, None, [w.player, w.still, w.video, w.report, w.metrics], js=DISPLAY, **HIDDEN)
    delete = w.results.delete(None, None, [w.deleted], js="() => [window.asccl.deleted]", **HIDDEN)
    delete.then(handlers.delete, [w.deleted], None, queue=False, **HIDDEN)
    stronger = w.result_note.stronger(None, None, [w.emotion, w.intensity], js=STRONGER, **HIDDEN)
    for event in (stronger.then, w.result_note.again):
        event(None, js=CLICK_RENDER, **HIDDEN)


def _show_start() -> tuple[Any, Any, str]:
    return gr.Button(interactive=False), gr.Button(visible=True), status_line("busy", "Waiting for the server", 0.0)


def _show_idle() -> tuple[Any, Any]:
    return gr.Button(interactive=True), gr.Button(visible=False)


def _show_ready() -> tuple[Any, Any, str]:
    return *_show_idle(), status_line("idle", "")


def _open_reference_box(emotion: str) -> Any:
    """Show where to put the reference when its emotion is chosen."""
    return gr.Accordion(open=True) if emotion == FROM_REFERENCE else gr.skip()


def _select_face(event: gr.SelectData) -> int:
    return event.index if isinstance(event.index, int) else LARGEST_FACE
