"""Three parts of the page made of gr.HTML: a comparison, a synchronised player, a card that names a file.

Each has a function that makes the widget and one that makes its value. Strings are escaped when a value is made: the
templates put them in the page as they are. Small pictures travel as data URLs, so no file of them stays behind.
"""

from __future__ import annotations

import base64
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import FileData

HERE = Path(__file__).parent
LARGEST = 1280  # pixels of the longer side of a picture sent to the browser
POSTER = 320

COMPARE = """${value ? `
<div class="compare" style="--at: 50%; --ratio: calc(${value.width} / ${value.height})">
  <img class="compare-edited" src="${value.edited}" alt="${value.text}, edited">
  <img class="compare-source" src="${value.source}" alt="${value.text}, original">
  <span class="compare-tag compare-left">Original</span><span class="compare-tag compare-right">Edited</span>
  <span class="compare-line"><span></span></span>
  <input type="range" min="0" max="100" step="0.5" value="50"
    aria-label="Compare: share of the original that shows, in per cent">
</div>` : EMPTY}"""

PLAYER = """${value ? `
<div class="player" data-part="player" tabindex="0" role="group" aria-label="Original and edited video, side by side">
  <div class="player-videos">
    <figure><video data-part="source" src="${value.source.url}" muted playsinline preload="auto"></video>
      <figcaption>Original</figcaption><p>Your browser cannot show the original's format.</p></figure>
    <figure><video data-part="edited" src="${value.edited.url}" playsinline preload="auto"></video>
      <figcaption>Edited</figcaption><p>Your browser cannot show this format; the download works.</p></figure>
  </div>
  <div class="player-bar">
    <button type="button" data-part="play" data-state="paused" aria-label="Play"></button>
    <input type="range" data-part="seek" min="0" max="1000" step="1" value="0" aria-label="Position in the video">
    <span data-part="clock" class="player-clock">0:00.0</span>
    <button type="button" data-part="pace" class="player-pace" title="Speed" aria-label="Change the speed">1×</button>
    <button type="button" data-part="sound" data-state="on" aria-label="Turn the sound off"></button>
    <button type="button" data-part="whole" aria-label="Full screen"></button>
  </div>
</div>` : ""}"""

CARD = """${value ? `
<div class="card"><img src="${value.poster}" alt=""><div><strong>${value.name}</strong>
<span>${value.facts}</span></div></div>` : ""}"""


Value = dict[str, Any]

markup = partial(gr.HTML, js_on_load=None, apply_default_css=False)


def compare(empty: str = "", names: tuple[str, str] = ("Original", "Edited"), **settings: Any) -> gr.HTML:
    """Original and edited picture under one handle. Value: `pair(...)` or None, which shows `empty`."""
    shown = f'`<div class="compare-empty">{empty}</div>`' if empty else '""'
    template = COMPARE.replace("EMPTY", shown)
    for usual, name in zip(("Original", "Edited"), names, strict=True):
        template = template.replace(f">{usual}<", f">{name}<").replace(f", {usual.lower()}", f", {name.lower()}")
    return markup(html_template=template, js_on_load=script("compare"), **settings)


def player(**settings: Any) -> gr.HTML:
    """Original and edited video side by side, in step, with one set of controls. Value: `clips(...)` or None."""
    return markup(html_template=PLAYER, js_on_load=script("player"), **settings)


def card(**settings: Any) -> gr.HTML:
    """A small picture with a name and a line of facts. Value: `facts(...)` or None."""
    return markup(html_template=CARD, **settings)


def pair(source: np.ndarray, edited: np.ndarray, text: str) -> Value:
    """Two pictures (H, W, 3) uint8 RGB of one size, and what they show."""
    source, edited = shrink(source, LARGEST), shrink(edited, LARGEST)
    height, width = source.shape[:2]
    return {
        "source": picture(source), "edited": picture(edited), "width": width, "height": height, "text": escape(text),
    }  # fmt: skip


def clips(source: Path, edited: Path) -> Value:
    """Two videos of one length; Gradio copies them to where the browser may fetch them."""
    return {
        name: FileData(path=str(path), orig_name=path.name).model_dump()
        for name, path in (("source", source), ("edited", edited))
    }


def facts(poster: np.ndarray, name: str, line: str) -> Value:
    """A file's first look: picture (H, W, 3) uint8 RGB, name, one line."""
    return {"poster": picture(shrink(poster, POSTER)), "name": escape(name), "facts": escape(line)}


def script(name: str) -> str:
    return (HERE / f"{name}.js").read_text(encoding="utf-8")


def picture(image: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB -> a JPEG as a data URL."""
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def shrink(image: np.ndarray, largest: int) -> np.ndarray:
    """(H, W, 3) uint8 with its longer side at most `largest`."""
    height, width = image.shape[:2]
    scale = largest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
