"""Open media files: every file that FFmpeg reads or writes for this project is opened here.

Files that are read come from anybody: their name is never taken for a protocol, and they cannot refer to other files or
hosts.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from asccl.errors import LimitError, UnreadableError
from asccl.video.animation import is_animated_webp, open_animated_webp

# Formats that hold everything themselves. Playlists (HLS, DASH, concat) may name other files or hosts: never opened.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,ivf,flv,asf,gif,apng,ogg,"
    "nut,mxf,dv,rm,wtv,yuv4mpegpipe,mjpeg,aac,mp3,wav,flac"
)
NOT_A_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
# PyAV 19 dropped this option: it decodes metadata with "surrogateescape"; `read_container_metadata` replaces invalid
# bytes.
METADATA_OPTIONS: Any = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}


def open_container(path: Path, max_pixels: int) -> Any:
    """Open an av.InputContainer that can read this file only.

    Raises:
        UnreadableError: the format is unknown or damaged.
        LimitError: the file asks for too much memory.
    """
    try:
        return av.open(
            open_animated_webp(path) if is_animated_webp(path) else _file_url(path),
            options={"max_pixels": str(max_pixels)},
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            **METADATA_OPTIONS,
        )
    except (av.error.FFmpegError, ValueError):
        raise UnreadableError(
            f"{path.name} is not a readable video or image",
            "copy or export it again, for instance as MP4, or give another file",
        ) from None
    except MemoryError:
        raise LimitError(f"{path.name} asks for more memory than there is", "make it smaller first") from None


def open_output(path: Path, container_format: str, options: Mapping[str, str]) -> Any:
    """Open an av.OutputContainer.

    Args:
        path: the file to write.
        container_format: FFmpeg's name of it, for instance "mp4".
        options: of the muxer.

    Raises:
        FFmpegError: the file cannot be created.
    """
    return av.open(_file_url(path), "w", format=container_format, options=dict(options))


def open_trial_output(container_format: str) -> Any:
    """Open an av.OutputContainer in memory, to learn what a format can hold."""
    return av.open(io.BytesIO(), "w", format=container_format)


def codec_name(stream: Any) -> str:
    """FFmpeg's name of the codec of a stream; "unknown" where it has no decoder for it."""
    codec = stream.codec_context
    return "unknown" if codec is None else str(codec.codec.canonical_name)


def read_container_metadata(item: Any) -> dict[str, str]:
    """Metadata of a container or stream, with U+FFFD in place of bytes that are not UTF-8."""
    return {_replace_invalid(key): _replace_invalid(value) for key, value in item.metadata.items()}


def _file_url(path: Path) -> str:
    """The name of a file that FFmpeg takes for no other protocol, not even `interview-12:30.mp4`."""
    return f"file:{path}"


def _replace_invalid(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
