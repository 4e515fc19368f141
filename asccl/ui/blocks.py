"""The page: which widgets there are and which handler each of them calls. No logic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.types import EMOTIONS, GENERATORS, INTENSITY_RANGE
from asccl.ui import correlation
from asccl.ui.comparing import ComparisonHandlers
from asccl.ui.components import HERE, card, compare, markup, player
from asccl.ui.correlation import correlation_tab
from asccl.ui.correlation import wire as wire_correlation
from asccl.ui.engine import EditorLike
from asccl.ui.examples import PICK, load, picker
from asccl.ui.handlers import FROM_REFERENCE, Handlers
from asccl.ui.limits import WEB_LIMITS
from asccl.ui.report import status
from asccl.ui.values import LARGEST
from asccl.video.limits import Limits

TITLE = "ASCCL: change the emotion, keep the speech"
MEDIA = ["video", "image", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".ts", ".heic", ".webp"]
KEEP = (600, 3600)  # seconds: how often old files are looked for, how old they may grow
CAMERA = {"width": {"ideal": 1280}, "height": {"ideal": 720}, "frameRate": {"ideal": 30, "max": 30}}
DIRECTED = {"warp": "Presets", "ned": "NED, a network that learnt it"}
RENDERS, PREVIEWS, PROBES = 1, 2, 2  # at once; a render takes every core, the others are short

text = partial(gr.Markdown, container=False)


@dataclass(frozen=True)
class EditWidgets:
    """The widgets that handlers read or write."""

    source: gr.File
    webcam: gr.Video
    examples: gr.HTML
    card: gr.HTML
    gallery: gr.Gallery
    face: gr.Number
    consent: gr.Checkbox
    source_note: gr.HTML
    compare: gr.HTML
    time: gr.Slider
    preview_note: gr.HTML
    emotion: gr.Radio
    intensity: gr.Slider
    reference_box: gr.Accordion
    reference: gr.File
    reference_card: gr.HTML
    reference_note: gr.HTML
    span: gr.Accordion
    start: gr.Slider
    end: gr.Slider
    variant: gr.Slider
    generator: gr.Radio
    badge: gr.Checkbox
    render: gr.Button
    cancel: gr.Button
    status: gr.HTML
    result: gr.Column
    player: gr.HTML
    still: gr.HTML
    video: gr.DownloadButton
    report: gr.DownloadButton
    analyse: gr.Button
    readout: gr.HTML


def build(editor: EditorLike, limits: Limits = WEB_LIMITS, folder: Path | None = None) -> gr.Blocks:
    """The whole app around an editor. `folder`: where runs put their temporary folders; not in Gradio's own."""
    handlers, comparing = Handlers(editor, limits, folder), ComparisonHandlers(limits, folder)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=KEEP) as page:
        text(words("intro"), elem_id="intro")
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Edit"):
                widgets = edit_tab(limits)
            with gr.Tab("Correlation", id="correlation"):
                compared = correlation_tab(limits)
            with gr.Tab("About"):
                text(words("about"), elem_id="about")
        wire(widgets, handlers)
        wire_correlation(compared, comparing)
        hand_over(widgets, compared, tabs)
        page.unload(handlers.leave)
        page.unload(comparing.leave)
    page.queue(max_size=32, default_concurrency_limit=4)
    return page


def words(name: str) -> str:
    return (HERE / "texts" / f"{name}.md").read_text(encoding="utf-8")


def edit_tab(limits: Limits) -> EditWidgets:
    made: dict[str, Any] = {}
    with gr.Column(elem_id="workbench"):
        with gr.Column(elem_id="source-panel"):
            source_panel(made, limits)
        with gr.Column(elem_id="preview-panel"):
            preview_panel(made, limits)
        with gr.Column(elem_id="control-panel"):
            control_panel(made, limits)
        with gr.Column(elem_id="result-panel", visible=False) as made["result"]:
            result_panel(made)
    return EditWidgets(**made)


def source_panel(made: dict[str, Any], limits: Limits) -> None:
    text("## 1 · Source")
    with gr.Tabs():
        with gr.Tab("Upload"):
            made["source"] = gr.File(
                label=f"Video or photo with a face, up to {limits.max_bytes // 2**20} MB",
                file_types=MEDIA, height=132, elem_id="source",
            )  # fmt: skip
        with gr.Tab("Webcam"):
            made["webcam"] = gr.Video(
                sources=["webcam"], include_audio=True, label="Record yourself", elem_id="webcam", height=240,
                webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": CAMERA}),
            )  # fmt: skip
    made["card"] = card(elem_id="source-card")
    made["source_note"] = markup(status("idle", ""), elem_id="source-note")
    made["examples"] = markup(picker(), js_on_load=PICK, elem_id="examples")
    made["gallery"] = gr.Gallery(
        label="Several faces: which one?", visible=False, columns=5, height=150, allow_preview=False,
        object_fit="cover", elem_id="faces", buttons=[], interactive=False,
    )  # fmt: skip
    made["face"] = gr.Number(LARGEST, visible=False, precision=0, label="Face, as listed by /faces; -1 is the largest")
    text(words("consent"), elem_id="consent-text")
    made["consent"] = gr.Checkbox(label="I may edit this face and will deceive nobody", elem_id="consent")


def preview_panel(made: dict[str, Any], limits: Limits) -> None:
    text("## Preview")
    empty = "Choose a video or a photo, or click an example.<br>The preview of one frame appears here."
    made["compare"] = compare(empty, elem_id="compare")
    made["time"] = gr.Slider(
        0, limits.max_seconds, 0, step=0.01, label="Moment shown (seconds)", visible=False, elem_id="time", buttons=[]
    )
    made["preview_note"] = markup("", elem_id="preview-note")


def control_panel(made: dict[str, Any], limits: Limits) -> None:
    text("## 2 · Emotion")
    choices = [(name.capitalize(), name) for name in EMOTIONS] + [("From a clip", FROM_REFERENCE)]
    made["emotion"] = gr.Radio(choices, value="happy", label="Emotion", show_label=False, elem_id="emotion")
    low, high = INTENSITY_RANGE
    made["intensity"] = gr.Slider(
        low, high, 1.0, step=0.05, label="Intensity", info="0 changes nothing, 1 is natural, 2 is theatrical",
        elem_id="intensity", buttons=[],
    )  # fmt: skip
    with gr.Accordion("Reference clip or photo", open=False, elem_id="reference-box") as made["reference_box"]:
        text("Its expression is taken over. Choose an emotion above as well, to have both.")
        made["reference"] = gr.File(label="Reference", file_types=MEDIA, height=120, elem_id="reference")
        made["reference_card"] = card(elem_id="reference-card")
        made["reference_note"] = markup("", elem_id="reference-note")
    longest = limits.max_seconds  # until a file is there; from a program, 0 is the end
    with gr.Accordion("Only a part of the video", open=False, visible=False) as made["span"]:
        made["start"] = gr.Slider(0, longest, 0, step=0.01, label="From (seconds)", elem_id="start", buttons=[])
        made["end"] = gr.Slider(0, longest, 0, step=0.01, label="To (seconds)", elem_id="end", buttons=[])
    with gr.Accordion("More", open=False):
        made["variant"] = gr.Slider(
            0, 9, 0, step=1, label="Variant", info="The same emotion, shown a little differently", buttons=[]
        )
        made["generator"] = gr.Radio(
            [(DIRECTED[name], name) for name in GENERATORS], value=GENERATORS[0], label="Who directs the face",
            elem_id="generator",
        )  # fmt: skip
        made["badge"] = gr.Checkbox(True, label="Visible mark that says the video was edited")
    with gr.Column(elem_id="actions"):  # stays in sight, and how far the edit is with it
        made["status"] = markup(status("idle", ""), elem_id="status")
        with gr.Row():
            made["render"] = gr.Button("Render", variant="primary", elem_id="render", scale=3)
            made["cancel"] = gr.Button("Cancel", variant="stop", elem_id="cancel", visible=False, scale=1, min_width=96)


def result_panel(made: dict[str, Any]) -> None:
    text("## 3 · Result")
    made["player"] = player(elem_id="player")
    made["still"] = compare(elem_id="still")
    with gr.Row(elem_id="downloads"):
        made["video"] = gr.DownloadButton("Download the result", variant="primary", elem_id="download-video")
        made["report"] = gr.DownloadButton("Download the report (JSON)", elem_id="download-report")
        made["analyse"] = gr.Button("Analyse this edit", elem_id="analyse-edit")
    made["readout"] = markup("", elem_id="readout")


def wire(w: EditWidgets, handlers: Handlers) -> None:
    """Which event calls which handler. Public endpoints are /faces, /preview and /edit."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    choices = [w.source, w.emotion, w.reference, w.intensity, w.start, w.end, w.face, w.variant, w.generator]
    begun = w.render.click(begin, None, [w.render, w.cancel, w.status], queue=False, **quiet)
    run = begun.then(
        handlers.edit, [*choices, w.badge, w.consent], [w.video, w.report, w.status, w.player, w.still, w.readout],
        api_name="edit", show_progress="hidden", concurrency_id="render", concurrency_limit=RENDERS,
    )  # fmt: skip
    shown = run.success(lambda: gr.Column(visible=True), None, [w.result], queue=False, **quiet)
    shown.then(None, js=SHOW_RESULT, **quiet)
    for ended in (run.success, run.failure):  # `then` alone does not follow a generator that fails
        ended(rest, None, [w.render, w.cancel], queue=False, **quiet)
    # first the edit ends, then it is said: its last word would come after ours
    cancelled = w.cancel.click(None, None, None, cancels=[run], **quiet)
    cancelled.then(stopped, None, [w.render, w.cancel, w.status], queue=False, **quiet)
    dropped = w.source.change(None, None, None, cancels=[run], **quiet)  # stands before what looks at the new file
    dropped.then(other_source, None, [w.render, w.cancel, w.status, w.result], queue=False, **quiet)
    opened = w.source.change(
        handlers.open, [w.source], [w.card, w.gallery, w.face, w.time, w.start, w.end, w.span, w.source_note],
        api_name="faces", show_progress="hidden", trigger_mode="always_last",
        concurrency_id="probe", concurrency_limit=PROBES,
    )  # fmt: skip
    opened.then(
        handlers.preview, [*choices, w.time], [w.compare, w.preview_note],
        api_name="first_preview", concurrency_id="preview", concurrency_limit=PREVIEWS, **quiet,
    )  # fmt: skip
    gr.on(
        [widget.change for widget in (*choices[1:], w.time)],
        handlers.preview, [*choices, w.time], [w.compare, w.preview_note],
        api_name="preview", show_progress="hidden", trigger_mode="always_last",
        concurrency_id="preview", concurrency_limit=PREVIEWS,
    )  # fmt: skip
    w.reference.change(
        handlers.open_reference, [w.reference, w.emotion], [w.reference_card, w.emotion, w.reference_note],
        concurrency_id="probe", concurrency_limit=PROBES, **quiet,
    )  # fmt: skip
    w.emotion.input(open_box, [w.emotion], [w.reference_box], queue=False, **quiet)
    w.webcam.stop_recording(lambda recorded: recorded, [w.webcam], [w.source], **quiet)
    w.examples.pick(load, None, [w.source, w.emotion], queue=False, **quiet)
    w.gallery.select(pick, None, [w.face], queue=False, **quiet)


def hand_over(edit: EditWidgets, compared: correlation.CorrelationWidgets, tabs: gr.Tabs) -> None:
    """From the result of an edit to the Correlation tab, where the comparison begins at once."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    edit.analyse.click(
        lambda source, video: (source, video, "time", gr.Tabs(selected="correlation")),
        [edit.source, edit.video], [compared.source, compared.generated, compared.pairing, tabs], **quiet,
    ).then(None, js="() => setTimeout(() => document.getElementById('compare-two').click(), 50)", **quiet)  # fmt: skip


SHOW_RESULT = "() => document.getElementById('result-panel')?.scrollIntoView({behavior: 'smooth', block: 'start'})"


def begin() -> tuple[Any, Any, str]:
    return gr.Button(interactive=False), gr.Button(visible=True), status("busy", "Waiting for a free place", 0.0)


def rest() -> tuple[Any, Any]:
    return gr.Button(interactive=True), gr.Button(visible=False)


def stopped() -> tuple[Any, Any, str]:
    return *rest(), status("stopped", "Cancelled. Nothing was kept.")


def other_source() -> tuple[Any, Any, str, Any]:
    """The edit of the file before, and its result, go with that file."""
    return *rest(), status("idle", ""), gr.Column(visible=False)


def open_box(emotion: str) -> Any:
    """Who asks for the emotion of a clip is shown where to put it."""
    return gr.Accordion(open=True) if emotion == FROM_REFERENCE else gr.skip()


def pick(event: gr.SelectData) -> int:
    return event.index if isinstance(event.index, int) else LARGEST
