"""Engine values as widgets and sentences."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.errors import AscclError, CancelledError
from asccl.types import DetectedFace, MediaInfo
from asccl.ui.limits import clock, length
from asccl.ui.report import status

MOST_RATE = 500  # frames a second; above it, the file names a clock and not a rate
SHORTEST = 0.1  # seconds that sliders make sense for
LARGEST = -1  # no face was chosen: the largest
GENERIC = "Something went wrong on our side. Try again; if it happens again, try another file"


def sentence(error: BaseException) -> str:
    """One line for the person at the browser; what only we can mend goes to the log, not to them."""
    if isinstance(error, CancelledError):
        return "Cancelled. Nothing was kept."
    if isinstance(error, AscclError):
        return f"{capital(error.problem)}: {error.remedy}."
    traceback.print_exception(error, file=sys.stderr)
    return f"{GENERIC}."


def capital(text: str) -> str:
    """A sentence begins with a capital; the name of a file stays as it is."""
    return text if "." in text.split(" ")[0] else text[:1].upper() + text[1:]


def note(text: str, failed: bool = False) -> str:
    return status("failed" if failed else "idle", text)


def outside(time: float, start: float, end: float) -> str:
    if (start and time < start) or (end and time > end):
        return "This moment lies outside the part you chose, so it stays as it is."
    return ""


def describe(info: MediaInfo) -> str:
    size = f"{info.width} × {info.height}"
    if info.is_still:
        return f"Photo, {size}"
    sound = "" if info.audio_tracks else ", no sound"
    rate = f", {float(info.frame_rate):.4g} fps" if 0 < info.frame_rate < MOST_RATE else ""
    return f"{clock(length(info))}, {size}{rate}{sound}"


def still_suffix(source: Path) -> str:
    suffix = source.suffix.lower()
    return suffix if suffix in (".png", ".jpg", ".jpeg", ".webp") else ".png"


def no_faces() -> tuple[Any, int]:
    return gr.Gallery(value=[], visible=False), LARGEST


def choice(faces: list[DetectedFace]) -> tuple[Any, int]:
    """The gallery shows only where there is a choice; the first face is the largest and is taken unless told."""
    if len(faces) < 2:
        return no_faces()
    shown = [(face.thumbnail, f"Face {face.number + 1}, {clock(face.time)}") for face in faces]
    return gr.Gallery(value=shown, visible=True, selected_index=0), faces[0].number


def sliders(info: MediaInfo | None) -> tuple[Any, Any, Any, Any]:
    """Moment of the preview, start, end, and the box around the last two: all bounded by the length."""
    seconds = length(info) if info is not None else 0.0
    moving = seconds > SHORTEST
    last = max(0.0, seconds - (1 / float(info.frame_rate) if info is not None and info.frame_rate else 0.0))
    most = round(seconds, 2) if moving else 1.0
    return (
        gr.Slider(maximum=round(last, 2) or 1.0, value=round(last / 2, 2), visible=moving),
        gr.Slider(maximum=most, value=0.0),
        gr.Slider(maximum=most, value=most if moving else 0.0),
        gr.Accordion(visible=moving),
    )
