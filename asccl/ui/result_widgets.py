"""The results of a visit: a strip of them, the one that is shown, and what the page says about it."""

from __future__ import annotations

import secrets
import time
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from asccl.types import INTENSITY_RANGE, EditRequest, EditResult, Image, MediaInfo
from asccl.ui.components import (
    Value,
    comparison_value,
    html_widget,
    image_comparison,
    read_script,
    shrink,
    text_widget,
    to_data_url,
)
from asccl.ui.messages import format_seconds
from asccl.ui.player import video_player
from asccl.ui.report_html import report_html
from asccl.video.reader import Reader, read_frame_at

POSTER_SIDE = 160  # pixels
WEAK_TEXT = "In this result, the emotion is hard to see."
STRIP_TEMPLATE = """<ul class="results" data-part="items" aria-label="Results of this visit"></ul>
<button type="button" class="new-study" data-part="study" hidden
 title="Compares these results in a user study">New study</button>"""
NOTE_TEMPLATE = """<p class="note" data-part="changed" role="status" hidden>
<span>Changed since this result: <span data-part="names"></span></span>
<button type="button" data-part="again">Create it again</button></p>
<p class="note" data-part="weak" role="status" hidden><span data-part="reason"></span>
<button type="button" data-part="stronger">Stronger</button></p>"""
DISPLAY = """() => {
  const d = window.asccl.display;
  return [d.player, d.still, d.video, d.report, d.metrics];
}"""


def build_result_panel() -> dict[str, Any]:
    """Build the widgets of the results inside the current Gradio block.

    Returns:
        The widgets by the names of their fields in `EditWidgets`.
    """
    widgets: dict[str, Any] = {}
    text_widget("## Result")
    widgets["results"] = html_widget(html_template=STRIP_TEMPLATE, js_on_load=read_script("results"), elem_id="results")
    widgets["result_note"] = html_widget(
        html_template=NOTE_TEMPLATE, js_on_load=read_script("result_note"), elem_id="result-note"
    )
    widgets["player"] = video_player(elem_id="player")
    widgets["still"] = image_comparison(elem_id="still")
    with gr.Row(elem_id="downloads"):
        widgets["video"] = gr.DownloadButton("Download the result", variant="primary", elem_id="download-video")
        widgets["report"] = gr.DownloadButton("Download the report (JSON)", elem_id="download-report")
        widgets["analyze"] = gr.Button("Compare the movement", elem_id="analyze-edit")
    widgets["metrics"] = html_widget("", elem_id="readout")
    widgets["deleted"] = gr.File(visible=False, file_count="multiple", label="Results to delete")
    return widgets


def result_value(
    request: EditRequest, result: EditResult, report: Path, info: MediaInfo, settings: dict[str, Any]
) -> Value:
    """Build the value of the strip for a finished edit. All texts in it are escaped.

    Args:
        request: what was asked for.
        result: of the editor.
        report: file of the report.
        info: of the source.
        settings: values of the widgets by their names in `page.js`.

    Returns:
        The value.
    """
    edited = _read_frame(result.output, info)
    still = None
    if info.is_still:
        still = comparison_value(_read_frame(request.source, info), edited, "The photo")
    return {
        "id": secrets.token_hex(8),
        "created": int(time.time() * 1000),
        "label": escape(_label(request)),
        "facts": escape(_facts(request, info)),
        "name": escape(result.output.name),
        "poster": to_data_url(shrink(edited, POSTER_SIDE)),
        "is_still": info.is_still,
        "file": _file(result.output),
        "report": _file(report),
        "source": _file(request.source),
        "still": still,
        "span": None if info.is_still else edited_span(request, info.duration),
        "metrics": report_html(result.report),
        "weak": weak_text(result.report["emotion"]),
        "stronger": request.intensity < INTENSITY_RANGE[1],
        "settings": settings,
    }


def weak_text(emotion: dict[str, Any]) -> str | None:
    """Say in plain words that an emotion came out weak and why; None where it did not."""
    if not emotion.get("weak"):
        return None
    reason = emotion.get("reason") or ""
    return f"{WEAK_TEXT} {reason}".strip()


def edited_span(request: EditRequest, duration: float) -> list[float] | None:
    """Start and end of the edited part as shares of the video; None for all of it."""
    if duration <= 0 or (request.start <= 0 and request.end is None):
        return None
    end = duration if request.end is None else request.end
    return [min(1.0, request.start / duration), min(1.0, end / duration)]


def _label(request: EditRequest) -> str:
    emotion = (request.emotion or "").capitalize()
    copied = "expression of a clip" if request.reference is not None else ""
    label = " + ".join(filter(None, (emotion, copied)))
    return f"{label[:1].upper()}{label[1:]} {request.intensity:g}"


def _facts(request: EditRequest, info: MediaInfo) -> str:
    facts = []
    if edited_span(request, info.duration) is not None:
        end = info.duration if request.end is None else request.end
        facts.append(f"{format_seconds(request.start)} to {format_seconds(end)}")
    if request.face is not None and request.face > 0:
        facts.append(f"face {request.face + 1}")
    if request.seed:
        facts.append(f"version {request.seed}")
    if request.generator != "warp":
        facts.append(request.generator.upper())
    return ", ".join(facts) or request.source.name


def _file(path: Path) -> dict[str, Any]:
    return FileData(path=str(path), orig_name=path.name).model_dump()


def _read_frame(path: Path, info: MediaInfo) -> Image:
    """The photo, or the middle frame of the video, (H, W, 3) uint8 RGB."""
    if not info.is_still:
        return read_frame_at(path, info.duration / 2).image
    with Reader(path) as reader:
        return next(iter(reader)).image
