"""Updates of the Edit tab's widgets for a new source: which faces and which times can be chosen."""

from __future__ import annotations

from typing import Any

import gradio as gr

from asccl.types import DetectedFace, MediaInfo
from asccl.ui.messages import format_seconds

LARGEST_FACE = -1  # value of the face number that means: the largest
MIN_SLIDER_SECONDS = 0.1  # duration of a video below which no time can be chosen


def hidden_gallery() -> tuple[Any, int]:
    """Hide the gallery and choose the largest face."""
    return gr.Gallery(value=[], visible=False), LARGEST_FACE


def face_gallery(faces: list[DetectedFace]) -> tuple[Any, int]:
    """Show the gallery if there are several faces, and choose the first, which is the largest."""
    if len(faces) < 2:
        return hidden_gallery()
    thumbnails = [(face.thumbnail, f"Face {face.number + 1}, {format_seconds(face.time)}") for face in faces]
    return gr.Gallery(value=thumbnails, visible=True, selected_index=0), faces[0].number


def time_sliders(info: MediaInfo | None) -> tuple[Any, Any, Any, Any, Any]:
    """Bound the sliders by the duration of the source; a still or no source hides them.

    Returns:
        Updates of the previewed time, the start, the end, their box, and the button that plays a part.
    """
    if info is None:
        # the bounds stay: a page that still shows a later time may ask for it at the same moment
        return (
            gr.Slider(value=0.0, visible=False),
            gr.Slider(value=0.0),
            gr.Slider(value=0.0),
            gr.Accordion(visible=False),
            gr.Button(visible=False),
        )
    seconds = info.duration
    is_video = seconds > MIN_SLIDER_SECONDS
    frame_seconds = 1 / float(info.frame_rate) if info.frame_rate else 0.0
    last_frame = max(0.0, seconds - frame_seconds)
    end = round(seconds, 2) if is_video else 1.0
    return (
        gr.Slider(maximum=round(last_frame, 2) or 1.0, value=round(last_frame / 2, 2), visible=is_video),
        gr.Slider(maximum=end, value=0.0),
        gr.Slider(maximum=end, value=end if is_video else 0.0),
        gr.Accordion(visible=is_video),
        gr.Button(visible=is_video),
    )
