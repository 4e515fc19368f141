"""What the web app accepts: a shared server takes less at once than somebody's own machine."""

from __future__ import annotations

from pathlib import Path

import av

from asccl.errors import UnreadableError
from asccl.types import MediaInfo
from asccl.video.limits import Limits

WEB_LIMITS = Limits(max_pixels=4096 * 2304, max_bytes=300 * 2**20, max_seconds=300.0, max_frames=36_000)


def check(info: MediaInfo, limits: Limits) -> None:
    """Raises LimitError for what a browser user may not send."""
    limits.check_file(info.path)
    limits.check_size(info.path, info.width, info.height, info.is_still)
    limits.check_length(info.path, length(info), info.frames)


def check_upload(path: str | None, what: str) -> Path:
    """The uploaded file. Raises UnreadableError when there is none, or it was deleted meanwhile."""
    if not path:
        raise UnreadableError(f"there is no {what} yet", "choose a video or a photo first")
    if not Path(path).exists():
        raise UnreadableError(f"the {what} is no longer here, uploads are kept for about an hour", "send it again")
    return Path(path)


def length(info: MediaInfo) -> float:
    """Seconds; 0 for a still. Recordings of a browser do not say: their packets do, without decoding."""
    if info.is_still or info.duration > 0:
        return info.duration
    with av.open(str(info.path)) as container:
        stream = container.streams.video[0]
        times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        return float((max(times) - min(times)) * (stream.time_base or 0)) if times else 0.0


def clock(seconds: float) -> str:
    """3.24 -> '3.2 s', 75 -> '1:15 min'."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
