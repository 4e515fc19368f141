"""Limits of the web app for uploads: lower than on one's own machine, because a server is shared."""

from __future__ import annotations

from pathlib import Path

import av

from asccl.errors import UnreadableError
from asccl.types import MediaInfo
from asccl.video.limits import Limits

WEB_LIMITS = Limits(max_pixels=4096 * 2304, max_bytes=300 * 2**20, max_seconds=300.0, max_frames=36_000)


def check_media(info: MediaInfo, limits: Limits) -> None:
    """Raise LimitError if an uploaded file is too large or too long."""
    limits.check_file(info.path)
    limits.check_size(info.path, info.width, info.height, info.is_still)
    limits.check_length(info.path, media_seconds(info), info.frames)


def check_upload(path: str | None, kind: str) -> Path:
    """Return the path of an uploaded file. Raises UnreadableError if there is none, or if it has been deleted.

    Args:
        path: where Gradio stored the upload, None before one.
        kind: what the error message calls the file.
    """
    if not path:
        raise UnreadableError(f"there is no {kind} yet", "choose a video or a photo first")
    if not Path(path).exists():
        raise UnreadableError(f"the {kind} has been deleted, uploads are kept for about an hour", "send it again")
    return Path(path)


def media_seconds(info: MediaInfo) -> float:
    """Measure the duration of a file in seconds; 0 for a still.

    A browser's recording does not state its duration: it is computed from the time stamps, without decoding.
    """
    if info.is_still or info.duration > 0:
        return info.duration
    with av.open(str(info.path)) as container:
        stream = container.streams.video[0]
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        return float((max(times) - min(times)) * (stream.time_base or 0)) if times else 0.0
