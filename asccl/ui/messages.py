"""Texts about errors, files and times for the person at the browser."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from asccl.errors import AscclError, CancelledError
from asccl.types import MediaInfo

MAX_FRAME_RATE = 500  # frames a second; a file that states more stores the tick rate of a clock instead
CANCELLED = "Cancelled. Nothing was kept."
INTERNAL_ERROR_TEXT = "Something went wrong on our side. Try again; if it happens again, try another file."


def error_message(error: BaseException) -> str:
    """Describe an error in one line. The details of an unexpected one go to stderr instead."""
    if isinstance(error, CancelledError):
        return CANCELLED
    if isinstance(error, AscclError):
        return f"{capitalize(error.problem)}: {error.remedy}."
    traceback.print_exception(error, file=sys.stderr)
    return INTERNAL_ERROR_TEXT


def capitalize(text: str) -> str:
    """Capitalize the first letter of a sentence, unless its first word is a file name."""
    return text if "." in text.split(" ")[0] else text[:1].upper() + text[1:]


def format_media(info: MediaInfo) -> str:
    """Describe duration, size, frame rate and sound of a file in a few words."""
    size = f"{info.width} × {info.height}"
    if info.is_still:
        return f"Photo, {size}"
    sound = "" if info.audio_tracks else ", no sound"
    rate = f", {float(info.frame_rate):.4g} fps" if 0 < info.frame_rate < MAX_FRAME_RATE else ""
    return f"{format_seconds(info.duration)}, {size}{rate}{sound}"


def format_seconds(seconds: float) -> str:
    """Format a time: 3.24 -> "3.2 s", 75 -> "1:15 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, remainder = divmod(round(seconds), 60)
    return f"{minutes}:{remainder:02d} min"


def outside_range_note(time: float, start: float, end: float) -> str:
    """Explain that a time is outside the edited time range.

    Args:
        time: seconds.
        start: seconds, 0 for the start of the video.
        end: seconds, 0 for the end of the video.

    Returns:
        One sentence, empty if the time is inside.
    """
    if (start and time < start) or (end and time > end):
        return "This moment is outside the part you chose, so it stays unchanged."
    return ""


def still_suffix(source: Path) -> str:
    """Choose the file name suffix of an edited still: that of its source if we can write it, else .png."""
    suffix = source.suffix.lower()
    return suffix if suffix in (".png", ".jpg", ".jpeg", ".webp") else ".png"
