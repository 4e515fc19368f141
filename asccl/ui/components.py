"""Parts of the page made of `gr.HTML`: image comparison, file card, status line.

A part has a function that builds the widget and one that builds its value. Text is escaped when a value is built,
because the templates insert it unchanged. Small images travel as data URLs, so they leave no files behind.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import cv2
import gradio as gr

from asccl.face.crop import face_region
from asccl.types import Image
from asccl.ui.jobs import JobProgress
from asccl.ui.messages import format_seconds

UI_FOLDER = Path(__file__).parent
MAX_FACE_SHARE = 0.6  # of an image: a face that fills more of it is not enlarged
MAX_IMAGE_SIDE = 1280  # pixels of the longer side of an image that is sent to the browser
CARD_IMAGE_SIDE = 320  # pixels

COMPARISON_TEMPLATE = """${value ? `<div class="compare-views${value.face ? " has-face" : ""}">${
  [["face", value.face], ["frame", value]].filter(([, images]) => images).map(([view, images]) => `
<div class="compare compare-of-${view}" style="--at: ${images.at}%; --ratio: calc(${images.width} / ${images.height})">
  <img class="compare-edited" src="${images.edited}" alt="${value.text}, ${(value.labels ?? DEFAULT_LABELS)[1]}">
  <img class="compare-source" src="${images.source}" alt="${value.text}, ${(value.labels ?? DEFAULT_LABELS)[0]}">
  <span class="compare-tag compare-left">${(value.labels ?? DEFAULT_LABELS)[0]}</span>
  <span class="compare-tag compare-right">${(value.labels ?? DEFAULT_LABELS)[1]}</span>
  <span class="compare-line"><span></span></span>
  <input type="range" min="0" max="100" step="0.5" value="${images.at}"
    aria-label="Compare: percentage of the image that shows ${(value.labels ?? DEFAULT_LABELS)[0]}">
</div>`).join("")}${value.face ? `
<button type="button" data-part="view" aria-pressed="false">Whole frame</button>` : ""}</div>` : PLACEHOLDER}"""

Value = dict[str, Any]

html_widget = partial(gr.HTML, js_on_load=None, apply_default_css=False)
text_widget = partial(gr.Markdown, container=False)


def image_comparison(
    placeholder: str = "", labels: tuple[str, str] = ("Original", "Edited"), **settings: Any
) -> gr.HTML:
    """Build a widget that shows two images on top of each other, divided by a handle.

    Args:
        placeholder: HTML to show while the value is None.
        labels: names of the two images, unless the value names them.
        settings: further arguments of `gr.HTML`.

    Returns:
        The widget. Its value comes from `comparison_value`, or is None.
    """
    empty = f'`<div class="compare-empty">{placeholder}</div>`' if placeholder else '""'
    template = COMPARISON_TEMPLATE.replace("PLACEHOLDER", empty).replace("DEFAULT_LABELS", json.dumps(labels))
    return html_widget(html_template=template, js_on_load=read_script("compare"), **settings)


def comparison_value(source: Image, edited: Image, text: str, box: tuple[float, ...] | None = None) -> Value:
    """Build the value of an image comparison.

    Args:
        source: (H, W, 3) uint8 RGB.
        edited: (H, W, 3) uint8 RGB, of the same size.
        text: what the images show.
        box: (x0, y0, x1, y1) pixels of a face, which is shown large and divided in its middle; None for none.

    Returns:
        The value.
    """
    height, width = source.shape[:2]
    value: Value = {"text": escape(text), "face": None}
    if box is None:
        return {**value, **_image_pair(source, edited, 50.0)}
    middle = (box[0] + box[2]) / 2
    left, top, right, bottom = face_region(box, (width, height))
    if (right - left) * (bottom - top) < MAX_FACE_SHARE * width * height:
        region = slice(top, bottom), slice(left, right)
        value["face"] = _image_pair(source[region], edited[region], 100 * (middle - left) / (right - left))
    return {**value, **_image_pair(source, edited, 100 * middle / width)}


def _image_pair(source: Image, edited: Image, at: float) -> Value:
    """Two images, and the percentage of their width at which they are divided."""
    source, edited = shrink(source, MAX_IMAGE_SIDE), shrink(edited, MAX_IMAGE_SIDE)
    height, width = source.shape[:2]
    urls = {"source": to_data_url(source), "edited": to_data_url(edited)}
    return {**urls, "width": width, "height": height, "at": round(2 * min(max(at, 0.0), 100.0)) / 2}


def card_value(image: Image, name: str, facts: str) -> Value:
    """Build the value of a file card.

    Args:
        image: (H, W, 3) uint8 RGB.
        name: of the file.
        facts: one line about the file.

    Returns:
        The value.
    """
    return {"poster": to_data_url(shrink(image, CARD_IMAGE_SIDE)), "name": escape(name), "facts": escape(facts)}


def status_line(kind: str, message: str, done: float | None = None, remaining: float | None = None) -> str:
    """Build a line that screen readers announce, with a progress bar where progress is known.

    Args:
        kind: idle, busy, done, stopped or failed; decides the colour.
        message: plain text, may be empty.
        done: share of the work in [0, 1], None for no bar.
        remaining: estimated seconds, None while unknown.

    Returns:
        HTML.
    """
    bar, estimate = "", ""
    if done is not None:
        text = "" if remaining is None else f"about {format_seconds(max(1, round(remaining)))} left"
        estimate = f'<span class="remaining">{text}</span>'
        bar = (
            f'<div class="progress" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{done * 100:.0f}"><i style="width:{done:.1%}"></i></div>'
        )
    role, live = ("alert", "assertive") if kind == "failed" else ("status", "polite")
    paragraph = f'<p role="{role}" aria-live="{live}">{escape(message)}</p>'
    return f'<div class="status {kind}">{paragraph}{estimate}{bar}</div>'


def progress_line(progress: JobProgress, stages: Mapping[str, str]) -> str:
    """Build the status line of a job.

    Args:
        progress: of the job.
        stages: what the page calls each stage.

    Returns:
        HTML.
    """
    text = stages.get(progress.stage, progress.stage.capitalize())
    ahead = f" ({progress.position} before yours)" if progress.position else ""
    return status_line("busy", text + ahead, progress.done, progress.remaining)


def note_line(text: str, failed: bool = False) -> str:
    """Build a status line without a state of work: a note, or an error."""
    return status_line("failed" if failed else "idle", text)


def read_script(name: str) -> str:
    """The JavaScript `name`.js of this package."""
    return (UI_FOLDER / "scripts" / f"{name}.js").read_text(encoding="utf-8")


def read_text(name: str) -> str:
    """The Markdown texts/`name`.md of this package."""
    return (UI_FOLDER / "texts" / f"{name}.md").read_text(encoding="utf-8")


def to_data_url(image: Image) -> str:
    """Encode (H, W, 3) uint8 RGB as JPEG in a data URL."""
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def shrink(image: Image, max_side: int) -> Image:
    """Resize (H, W, 3) uint8 so that its longer side is at most `max_side` pixels."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
