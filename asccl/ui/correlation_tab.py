"""The Correlation tab: its widgets, and which handler each of them calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from asccl.ui.charts import charts_widget, face_map_widget
from asccl.ui.comparison_handlers import ComparisonHandlers
from asccl.ui.components import (
    html_widget,
    image_comparison,
    read_text,
    status_line,
    text_widget,
)
from asccl.ui.edit_tab import HIDDEN
from asccl.ui.examples import EXAMPLES_FOLDER
from asccl.ui.file_box import build_file_box
from asccl.ui.hub_weights import FOR_COMPARISONS, HubWidgets, build_hub_widgets, connect_hub_widgets
from asccl.ui.messages import CANCELLED
from asccl.video.limits import Limits
from asccl.zoo import DEFAULT_METRIC

PAIRING_LABELS = {
    "auto": "Choose for me",
    "time": "An edit of the source",
    "sound": "Another take, by sound",
    "mouth": "Another take, by mouth",
}
ALIGNMENT_LABELS = {
    "auto": "Choose for me",
    "place": "Crop at the same place",
    "landmarks": "Rotate into the source's pose",
}
EXAMPLE = (EXAMPLES_FOLDER / "emma.mp4", EXAMPLES_FOLDER / "emma-sad.mp4")
# on a phone, the charts are below the controls
SCROLL_TO_CHARTS = """() => window.innerWidth < 900 &&
  document.getElementById('bench-charts')?.scrollIntoView({behavior: 'smooth', block: 'start'})"""
SCROLL_TO_FACE = "() => document.getElementById('bench-where')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"


@dataclass(frozen=True)
class CorrelationWidgets:
    """The widgets that handlers read or write."""

    source: gr.File
    source_card: gr.HTML
    generated: gr.File
    generated_card: gr.HTML
    files: gr.File
    note: gr.HTML
    pairing: gr.Radio
    stride: gr.Slider
    alignment: gr.Radio
    metric: gr.Radio
    hub: HubWidgets
    compare: gr.Button
    example: gr.Button
    compare_all: gr.Button
    cancel: gr.Button
    status: gr.HTML
    charts: gr.HTML
    face_panel: gr.Column
    face: gr.HTML
    preview: gr.HTML
    moment_note: gr.HTML
    at: gr.Number
    at_generated: gr.Number
    used_alignment: gr.Textbox
    used_metric: gr.Textbox
    downloads: gr.Row
    report: gr.DownloadButton
    similarity: gr.DownloadButton
    frames: gr.DownloadButton


def build_correlation_tab(limits: Limits) -> CorrelationWidgets:
    """Build the widgets of the tab inside the current Gradio block."""
    widgets: dict[str, Any] = {}
    with gr.Column(elem_id="bench"):
        with gr.Column(elem_id="bench-inputs", elem_classes="bench-panel"):
            widgets |= {**_file_inputs(limits), **_status(), **_comparison_controls(), **_moment_inputs()}
        with gr.Column(elem_id="bench-charts", elem_classes="bench-panel"):
            text_widget("## 2 · How similar")
            widgets["charts"] = charts_widget(elem_id="charts")
            with gr.Row(visible=False, elem_id="bench-downloads") as widgets["downloads"]:
                widgets["report"] = gr.DownloadButton("Report (JSON)", elem_id="download-correlation")
                widgets["similarity"] = gr.DownloadButton("Similarities (CSV)", elem_id="download-similarity")
                widgets["frames"] = gr.DownloadButton("Frames (CSV)", elem_id="download-frames")
            with gr.Accordion("What the numbers mean", open=True, elem_id="definitions"):
                text_widget(read_text("correlation"))
        with gr.Column(elem_id="bench-where", elem_classes="bench-panel", visible=False) as widgets["face_panel"]:
            text_widget("## 3 · Where on the face")
            widgets["moment_note"] = html_widget("", elem_id="moment-note")
            with gr.Row(elem_id="where-row"):
                widgets["face"] = face_map_widget(elem_id="face")
                widgets["preview"] = image_comparison(labels=("Source", "Generated"), elem_id="alignment")
    return CorrelationWidgets(**widgets)


def _file_inputs(limits: Limits) -> dict[str, Any]:
    widgets: dict[str, Any] = {}
    text_widget("## 1 · Does it still say the same?")
    text_widget(f"Two videos or photos of one person, up to {limits.max_bytes // 2**20} MB each.", elem_id="bench-lead")
    labels = {"source": "Source video or photo", "generated": "Generated one, or another take"}
    with gr.Tabs():
        with gr.Tab("Two files"):
            for name, label in labels.items():
                box = build_file_box(f"c-{name}", label, limits.max_bytes)
                widgets[name], widgets[f"{name}_card"] = box.file, box.card
            widgets["compare"] = gr.Button("Compare", variant="primary", elem_id="compare-two")
            widgets["example"] = gr.Button(
                "Try it with an example", size="sm", visible=EXAMPLE[1].exists(), elem_id="c-example"
            )
        with gr.Tab("Several, by emotion"):
            widgets["files"] = gr.File(
                label="Clips named by emotion, such as talk-neutral.mp4, talk-happy.mp4",
                file_count="multiple",
                height=180,
                elem_id="c-files",
            )
            widgets["compare_all"] = gr.Button("Compare all pairs", variant="primary", elem_id="compare-all")
    return widgets


def _status() -> dict[str, Any]:
    return {
        "note": html_widget("", elem_id="c-note"),
        "status": html_widget(status_line("idle", ""), elem_id="c-status"),
        "cancel": gr.Button("Cancel", variant="stop", visible=False, elem_id="c-cancel"),
    }


def _comparison_controls() -> dict[str, Any]:
    pairing = gr.Radio(
        [(label, name) for name, label in PAIRING_LABELS.items()],
        value="auto",
        label="What the second one is",
        elem_id="pairing",
        info="An edit is compared moment by moment; another take is warped in time first",
    )
    with gr.Accordion("More", open=False):
        stride = gr.Slider(
            0,
            30,
            0,
            step=1,
            label="Compare every N-th frame",
            info="0 takes about 300 frames, 1 takes all",
            buttons=[],
            elem_id="stride",
        )
        alignment = gr.Radio(
            [(label, name) for name, label in ALIGNMENT_LABELS.items()],
            value="auto",
            label="How the faces are aligned",
            elem_id="c-alignment",
        )
        metric = gr.Radio(
            [("The one of this program", DEFAULT_METRIC)], value=DEFAULT_METRIC, label="SCC metric", elem_id="c-metric"
        )
        hub = build_hub_widgets(FOR_COMPARISONS)
    return {"pairing": pairing, "stride": stride, "alignment": alignment, "metric": metric, "hub": hub}


def _moment_inputs() -> dict[str, Any]:
    """Hidden inputs of the endpoint /moment, filled by a click into the charts."""
    return {
        "at": gr.Number(0, visible=False, label="Seconds in the source"),
        "at_generated": gr.Number(0, visible=False, label="Seconds in the generated video"),
        "used_alignment": gr.Textbox("auto", visible=False, label="Alignment: place or landmarks"),
        "used_metric": gr.Textbox(DEFAULT_METRIC, visible=False, label="Metric of the comparison"),
    }


def connect_correlation_tab(widgets: CorrelationWidgets, handlers: ComparisonHandlers) -> None:
    """Connect events to handlers. The public endpoints are /compare, /compare_emotions and /moment."""
    w = widgets
    w.source.change(handlers.open_source, [w.source], [w.source_card, w.note], **HIDDEN)
    w.generated.change(handlers.open_generated, [w.generated], [w.generated_card, w.note], **HIDDEN)
    w.example.click(lambda: tuple(map(str, EXAMPLE)), None, [w.source, w.generated], queue=False, **HIDDEN)
    connect_hub_widgets(w.hub, w.metric, handlers.downloads, FOR_COMPARISONS, **HIDDEN)
    two_files = [w.source, w.generated, w.pairing, w.alignment, w.stride, w.metric]
    comparisons = [
        _connect_comparison(w, w.compare, handlers.compare, two_files, "compare"),
        _connect_comparison(
            w, w.compare_all, handlers.compare_emotions, [w.files, w.pairing, w.stride, w.metric], "compare_emotions"
        ),
    ]
    cancel = w.cancel.click(None, None, None, cancels=comparisons, **HIDDEN)
    # The status changes after the comparison has ended, because its last message would overwrite it.
    cancel.then(_show_cancelled, None, [w.compare, w.compare_all, w.cancel, w.status], queue=False, **HIDDEN)
    click = w.charts.pick(_read_click, None, [w.at, w.at_generated, w.moment_note], queue=False, **HIDDEN)
    click.then(
        handlers.moment,
        [w.source, w.generated, w.used_alignment, w.at, w.at_generated, w.used_metric],
        [w.face, w.preview, w.moment_note],
        api_name="moment",
        show_progress="hidden",
        concurrency_limit=None,
    ).then(None, js=SCROLL_TO_FACE, **HIDDEN)


def _connect_comparison(
    w: CorrelationWidgets, button: gr.Button, handler: Callable[..., Any], inputs: list[Any], api_name: str
) -> Any:
    """Connect a button to a comparison. Returns its event, which can be cancelled."""
    buttons = [w.compare, w.compare_all, w.cancel]
    start = button.click(_show_start, None, [*buttons, w.status, w.face_panel, w.downloads], queue=False, **HIDDEN)
    comparison = start.then(
        handler,
        inputs,
        [w.report, w.similarity, w.frames, w.status, w.charts, w.face, w.preview, w.used_alignment, w.used_metric],
        api_name=api_name,
        show_progress="hidden",
        concurrency_limit=None,
    )
    show_results = partial(_show_results, has_face=button is w.compare)
    success = comparison.success(show_results, None, [w.face_panel, w.downloads], queue=False, **HIDDEN)
    success.then(None, js=SCROLL_TO_CHARTS, **HIDDEN)
    for end in (comparison.success, comparison.failure):
        end(_show_idle, None, buttons, queue=False, **HIDDEN)
    return comparison


def _show_start() -> tuple[Any, ...]:
    disabled = [gr.Button(interactive=False)] * 2
    no_results = gr.Column(visible=False), gr.Row(visible=False)
    return *disabled, gr.Button(visible=True), status_line("busy", "Waiting for the server", 0.0), *no_results


def _show_idle() -> tuple[Any, ...]:
    return gr.Button(interactive=True), gr.Button(interactive=True), gr.Button(visible=False)


def _show_cancelled() -> tuple[Any, ...]:
    return *_show_idle(), status_line("stopped", CANCELLED)


def _show_results(has_face: bool) -> tuple[Any, Any]:
    return gr.Column(visible=has_face), gr.Row(visible=True)


def _read_click(event: gr.EventData) -> tuple[float, float, str]:
    """The clicked times in both videos. Raises gr.Error for anything but two times."""
    times = event.times  # type: ignore[attr-defined]  # a field that the script of the page adds
    if not isinstance(times, list) or len(times) != 2 or not all(isinstance(time, int | float) for time in times):
        raise gr.Error("There is no such moment", print_exception=False)
    return times[0], times[1], status_line("busy", "Comparing this moment…")
