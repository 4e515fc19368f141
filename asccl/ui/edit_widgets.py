"""The widgets of the Edit tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from asccl.types import EMOTIONS, GENERATORS, INTENSITY_RANGE
from asccl.ui.components import (
    MEDIA_TYPES,
    file_card,
    html_widget,
    image_comparison,
    read_text,
    status_line,
    text_widget,
    video_player,
)
from asccl.ui.edit_handlers import FROM_REFERENCE, SLIDER_STEP
from asccl.ui.examples import CLICK_EXAMPLE, example_buttons
from asccl.ui.widget_updates import LARGEST_FACE
from asccl.video.limits import Limits

CAMERA = {"width": {"ideal": 1280}, "height": {"ideal": 720}, "frameRate": {"ideal": 30, "max": 30}}
GENERATOR_LABELS = {"warp": "Presets", "ned": "NED, a trained network"}
PREVIEW_PLACEHOLDER = "Choose a video or a photo, or click an example.<br>The preview of one frame appears here."


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
    comparison: gr.HTML
    time: gr.Slider
    preview_note: gr.HTML
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
    adapt: gr.Checkbox
    badge: gr.Checkbox
    render: gr.Button
    cancel: gr.Button
    status: gr.HTML
    result: gr.Column
    player: gr.HTML
    still: gr.HTML
    video: gr.DownloadButton
    report: gr.DownloadButton
    analyze: gr.Button
    metrics: gr.HTML


def build_edit_tab(limits: Limits) -> EditWidgets:
    """Build the widgets of the tab inside the current Gradio block."""
    widgets: dict[str, Any] = {}
    with gr.Column(elem_id="workbench"):
        with gr.Column(elem_id="source-panel"):
            widgets |= _source_panel(limits)
        with gr.Column(elem_id="preview-panel"):
            widgets |= _preview_panel(limits)
        with gr.Column(elem_id="control-panel"):
            widgets |= {**_emotion_controls(), **_time_controls(limits), **_more_controls(), **_actions()}
        with gr.Column(elem_id="result-panel", visible=False) as widgets["result"]:
            widgets |= _result_panel()
    return EditWidgets(**widgets)


def _source_panel(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    text_widget("## 1 · Source")
    with gr.Tabs():
        with gr.Tab("Upload"):
            widgets["source"] = gr.File(
                label=f"Video or photo with a face, up to {limits.max_bytes // 2**20} MB",
                file_types=MEDIA_TYPES,
                height=132,
                elem_id="source",
            )
        with gr.Tab("Webcam"):
            widgets["webcam"] = gr.Video(
                sources=["webcam"],
                include_audio=True,
                label="Record yourself",
                elem_id="webcam",
                height=240,
                webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": CAMERA}),
            )
    widgets["card"] = file_card(elem_id="source-card")
    widgets["source_note"] = html_widget(status_line("idle", ""), elem_id="source-note")
    widgets["examples"] = html_widget(example_buttons(), js_on_load=CLICK_EXAMPLE, elem_id="examples")
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
    text_widget(read_text("consent"), elem_id="consent-text")
    widgets["consent"] = gr.Checkbox(label="I may edit this face and will deceive nobody", elem_id="consent")
    return widgets


def _preview_panel(limits: Limits) -> dict[str, Any]:
    text_widget("## Preview")
    return {
        "comparison": image_comparison(PREVIEW_PLACEHOLDER, elem_id="compare"),
        "time": _time_slider("Previewed moment (seconds)", limits, visible=False, elem_id="time"),
        "preview_note": html_widget("", elem_id="preview-note"),
    }


def _time_slider(label: str, limits: Limits, **settings: Any) -> gr.Slider:
    """A slider of seconds; until a file is uploaded, it reaches to the longest video."""
    return gr.Slider(0, limits.max_seconds, 0, step=SLIDER_STEP, label=label, buttons=[], **settings)


def _emotion_controls() -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    text_widget("## 2 · Emotion")
    choices = [(name.capitalize(), name) for name in EMOTIONS] + [("From a clip", FROM_REFERENCE)]
    widgets["emotion"] = gr.Radio(choices, value="happy", label="Emotion", show_label=False, elem_id="emotion")
    low, high = INTENSITY_RANGE
    widgets["intensity"] = gr.Slider(
        low,
        high,
        1.0,
        step=0.05,
        label="Intensity",
        info="0 changes nothing, 1 is natural, 2 is theatrical",
        elem_id="intensity",
        buttons=[],
    )
    with gr.Accordion("Reference clip or photo", open=False, elem_id="reference-box") as widgets["reference_box"]:
        text_widget("Its expression is copied. Choose an emotion above as well to combine both.")
        widgets["reference"] = gr.File(label="Reference", file_types=MEDIA_TYPES, height=120, elem_id="reference")
        widgets["reference_card"] = file_card(elem_id="reference-card")
        widgets["reference_note"] = html_widget("", elem_id="reference-note")
    return widgets


def _time_controls(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    with gr.Accordion("Only a part of the video", open=False, visible=False) as widgets["time_range"]:
        widgets["start"] = _time_slider("From (seconds)", limits, elem_id="start")
        widgets["end"] = _time_slider("To (seconds)", limits, elem_id="end")
    return widgets


def _more_controls() -> dict[str, Any]:
    with gr.Accordion("More", open=False):
        return {
            "variant": gr.Slider(
                0, 9, 0, step=1, label="Variant", info="The same emotion, slightly different", buttons=[]
            ),
            "generator": gr.Radio(
                [(GENERATOR_LABELS[name], name) for name in GENERATORS],
                value=GENERATORS[0],
                label="What generates the expression",
                elem_id="generator",
            ),
            "adapt": gr.Checkbox(True, label="Fit the preset to this face", info="Takes some seconds once"),
            "badge": gr.Checkbox(True, label="Visible mark that says the video was edited"),
        }


def _actions() -> dict[str, Any]:
    """Status and buttons; the style sheet keeps them in view."""
    widgets: dict[str, Any] = {}
    with gr.Column(elem_id="actions"):
        widgets["status"] = html_widget(status_line("idle", ""), elem_id="status")
        with gr.Row():
            widgets["render"] = gr.Button("Render", variant="primary", elem_id="render", scale=3)
            widgets["cancel"] = gr.Button(
                "Cancel", variant="stop", elem_id="cancel", visible=False, scale=1, min_width=96
            )
    return widgets


def _result_panel() -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    text_widget("## 3 · Result")
    widgets["player"] = video_player(elem_id="player")
    widgets["still"] = image_comparison(elem_id="still")
    with gr.Row(elem_id="downloads"):
        widgets["video"] = gr.DownloadButton("Download the result", variant="primary", elem_id="download-video")
        widgets["report"] = gr.DownloadButton("Download the report (JSON)", elem_id="download-report")
        widgets["analyze"] = gr.Button("Analyze this edit", elem_id="analyze-edit")
    widgets["metrics"] = html_widget("", elem_id="readout")
    return widgets
