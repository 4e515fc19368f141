"""Limits of the web app for uploads: lower than on one's own machine, because a server is shared."""

from __future__ import annotations

from pathlib import Path

from asccl.errors import UnreadableError
from asccl.types import MediaInfo
from asccl.ui.lifetimes import mark_used
from asccl.video.limits import Limits

WEB_LIMITS = Limits(
    max_pixels=4096 * 2304,
    max_still_pixels=50_000_000,
    max_bytes=300 * 2**20,
    max_seconds=300.0,
    max_frames=36_000,
    max_decoded_frames=1500,
)


def check_media(info: MediaInfo, limits: Limits) -> None:
    """Raise LimitError if an uploaded file is too large or too long."""
    limits.check_file(info.path)
    limits.check_size(info.path, info.width, info.height, info.is_still)
    limits.check_length(info.path, info.duration, info.frames)


def check_upload(path: str | None, kind: str) -> Path:
    """Return the path of an uploaded file, which stays for another hour.

    Raises UnreadableError if there is none, or if it has been deleted.

    Args:
        path: where Gradio stored the upload, None before one.
        kind: what the error message calls the file.
    """
    if not path:
        raise UnreadableError(f"there is no {kind} yet", "choose a video or a photo first")
    if not Path(path).exists():
        raise UnreadableError(f"the {kind} has been deleted, uploads are kept for about an hour", "send it again")
    mark_used(Path(path))
    return Path(path)
