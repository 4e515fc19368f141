"""The widgets of the Edit tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from asccl.types import EMOTIONS, INTENSITY_RANGE
from asccl.ui.advanced import build_advanced
from asccl.ui.components import html_widget, image_comparison, status_line, text_widget
from asccl.ui.edit_requests import FROM_REFERENCE, SLIDER_STEP
from asccl.ui.examples import CLICK_EXAMPLE, example_buttons
from asccl.ui.expert_controls import CurveWidgets, ExpertWidgets, build_curve, build_expert_controls
from asccl.ui.file_box import build_file_box
from asccl.ui.hub_weights import HubWidgets
from asccl.ui.preset_controls import PresetWidgets, build_preset_controls
from asccl.ui.result_widgets import build_result_panel
from asccl.ui.widget_updates import LARGEST_FACE
from asccl.video.limits import Limits

CAMERA = {"width": {"ideal": 1280}, "height": {"ideal": 720}, "frameRate": {"ideal": 30, "max": 30}}
PREVIEW_PLACEHOLDER = (
    '<div><span class="without-file">Choose a video or a photo, or click an example.<br></span>'
    "The preview of one frame appears here.</div>"
)
MOVING_TEMPLATE = """${value ? `<video src="${value.video.url}" autoplay loop muted playsinline controls
 aria-label="Two seconds of the face, original on the left, edited on the right"></video>` : ""}"""

COPIED = """<p role="status"><span data-part="copied" hidden>The link is copied. It has the settings, but no file.
</span></p>"""


@dataclass(frozen=True)
class EditWidgets:
    """The widgets that handlers read or write."""

    source: gr.File
    card: gr.HTML
    webcam: gr.Video
    examples: gr.HTML
    gallery: gr.Gallery
    face: gr.Number
    consent: gr.Checkbox
    source_note: gr.HTML
    comparison: gr.HTML
    time: gr.Slider
    move: gr.Button
    moving: gr.HTML
    preview_note: gr.HTML
    is_plain_preview: gr.State
    emotion: gr.Radio
    intensity: gr.Slider
    reference_box: gr.Accordion
    reference: gr.File
    reference_card: gr.HTML
    reference_note: gr.HTML
    time_range: gr.Accordion
    start: gr.Slider
    end: gr.Slider
    variant: gr.Slider
    generator: gr.Radio
    hub: HubWidgets
    adapt: gr.Checkbox
    badge: gr.Checkbox
    expert: ExpertWidgets
    curve: CurveWidgets
    presets: PresetWidgets
    render: gr.Button
    cancel: gr.Button
    status: gr.HTML
    undo: gr.Button
    start_over: gr.Button
    link: gr.Button
    visit: gr.Textbox
    results: gr.HTML
    result_note: gr.HTML
    player: gr.HTML
    still: gr.HTML
    video: gr.DownloadButton
    report: gr.DownloadButton
    analyze: gr.Button
    metrics: gr.HTML
    deleted: gr.File


def build_edit_tab(limits: Limits) -> EditWidgets:
    """Build the widgets of the tab inside the current Gradio block."""
    widgets: dict[str, Any] = {}
    with gr.Column(elem_id="workbench"):
        with gr.Column(elem_id="source-panel"):
            widgets |= _source_panel(limits)
        with gr.Column(elem_id="preview-area"), gr.Column(elem_id="preview-panel"):
            widgets |= _preview_panel(limits)
        with gr.Column(elem_id="control-panel"):
            widgets |= {**_emotion_controls(), **_actions()}
            widgets |= {**_reference_controls(limits), **_time_controls(limits)}
            widgets |= {"expert": build_expert_controls(), "presets": build_preset_controls()}
            widgets |= {**build_advanced(), **_tools()}
        with gr.Column(elem_id="result-panel"):
            widgets |= build_result_panel()
    return EditWidgets(**widgets)


def _source_panel(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    box = build_file_box("source", "Choose a video or photo with a face", limits.max_bytes)
    widgets["source"], widgets["card"] = box.file, box.card
    widgets["source_note"] = html_widget(status_line("idle", ""), elem_id="source-note")
    with gr.Accordion("Record with the camera", open=False, elem_id="camera-box"):
        widgets["webcam"] = gr.Video(
            sources=["webcam"],
            include_audio=True,
            label="Record yourself",
            elem_id="webcam",
            height=240,
            # mirrored by the style sheet: Gradio's own mirror would turn the recording, too
            webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": CAMERA}),
        )
    widgets["gallery"] = gr.Gallery(
        label="Several faces: which one?",
        visible=False,
        columns=5,
        height=150,
        allow_preview=False,
        object_fit="cover",
        elem_id="faces",
        buttons=[],
        interactive=False,
    )
    widgets["face"] = gr.Number(
        LARGEST_FACE, visible=False, precision=0, label="Face, as listed by /faces; -1 is the largest"
    )
    return widgets


def _preview_panel(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {"comparison": image_comparison(PREVIEW_PLACEHOLDER, elem_id="compare")}
    with gr.Row(elem_id="moment"):
        slider = _time_slider("Previewed moment (seconds)", limits, visible=False, elem_id="time", scale=1)
        move = gr.Button("Play two seconds of it", size="sm", visible=False, elem_id="move", scale=0, min_width=190)
    widgets |= {"time": slider, "move": move}
    return widgets | {
        "moving": html_widget(html_template=MOVING_TEMPLATE, elem_id="moving"),
        "preview_note": html_widget("", elem_id="preview-note"),
        "curve": build_curve(),
        "examples": html_widget(example_buttons(), js_on_load=CLICK_EXAMPLE, elem_id="examples"),
        "is_plain_preview": gr.State(True),
    }


def _time_slider(label: str, limits: Limits, **settings: Any) -> gr.Slider:
    """A slider of seconds; until a file is uploaded, it reaches to the longest video."""
    return gr.Slider(0, limits.max_seconds, 0, step=SLIDER_STEP, label=label, buttons=[], **settings)


def _emotion_controls() -> dict[str, Any]:
    choices = [(name.capitalize(), name) for name in EMOTIONS] + [("From a clip", FROM_REFERENCE)]
    low, high = INTENSITY_RANGE
    return {
        "emotion": gr.Radio(choices, value="happy", label="Emotion", show_label=False, elem_id="emotion"),
        "intensity": gr.Slider(
            low,
            high,
            1.0,
            step=0.05,
            label="Intensity",
            info="0 nothing · 1 natural · 2 theatrical",
            elem_id="intensity",
            buttons=[],
        ),
    }


def _reference_controls(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    with gr.Accordion("Copy the expression of a clip or photo", open=False, elem_id="reference-box") as widgets[
        "reference_box"
    ]:
        text_widget("The expression of its face is copied. Choose an emotion above as well to combine both.")
        box = build_file_box("reference", "Choose a clip or photo with an expression", limits.max_bytes)
        widgets["reference"], widgets["reference_card"] = box.file, box.card
        widgets["reference_note"] = html_widget("", elem_id="reference-note")
    return widgets


def _time_controls(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    with gr.Accordion("Only a part of the video", open=False, visible=False) as widgets["time_range"]:
        widgets["start"] = _time_slider("From (seconds)", limits, elem_id="start")
        widgets["end"] = _time_slider("To (seconds)", limits, elem_id="end")
    return widgets


def _actions() -> dict[str, Any]:
    """Consent, buttons and status; the style sheet keeps them in view."""
    widgets: dict[str, Any] = {}
    with gr.Column(elem_id="actions"):
        widgets["consent"] = gr.Checkbox(
            label="I may edit this face and will deceive nobody",
            info="It is yours, or its owner agreed. The result carries a note that it was edited.",
            elem_id="consent",
        )
        with gr.Row():
            widgets["render"] = gr.Button("Create the result", variant="primary", elem_id="render", scale=3)
            widgets["cancel"] = gr.Button(
                "Cancel", variant="stop", elem_id="cancel", visible=False, scale=1, min_width=96
            )
        widgets["status"] = html_widget(status_line("idle", ""), elem_id="status")
    return widgets


def _tools() -> dict[str, Any]:
    """Buttons about all settings together, and the key of the visit, which the browser chooses."""
    with gr.Row(elem_id="tools"):
        undo = gr.Button("Undo", size="sm", min_width=60, elem_id="undo")
        start_over = gr.Button("Start over", size="sm", min_width=60, elem_id="start-over")
        link = gr.Button("Copy a link", size="sm", min_width=60, elem_id="link")
    html_widget(COPIED, elem_id="link-note")
    visit = gr.Textbox("", visible=False, label="Key of the visit; a program leaves it empty")
    return {"undo": undo, "start_over": start_over, "link": link, "visit": visit}
