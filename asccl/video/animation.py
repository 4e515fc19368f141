"""Animated WebP, which FFmpeg does not read: decoded by Pillow into lossless Matroska in memory."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image as Pillow
from PIL import ImageSequence

from asccl.errors import LimitError
from asccl.video.image_file import decoding_errors, read_start

MAX_DECODED_BYTES = 2**30  # of all images of an animation
DEFAULT_DURATION = 100  # ms of an image that states none
MILLISECOND = Fraction(1, 1000)
WEBP_HEADER_SIZE = 21  # bytes up to the flags
ANIMATION_FLAG = 0x02  # of the WebP container


def is_animated_webp(path: Path) -> bool:
    """Whether the content is a WebP with the flag of an animation."""
    header = read_start(path, WEBP_HEADER_SIZE)
    is_extended = header[:4] == b"RIFF" and header[8:16] == b"WEBPVP8X"
    return is_extended and len(header) == WEBP_HEADER_SIZE and bool(header[20] & ANIMATION_FLAG)


def open_animated_webp(path: Path) -> io.BytesIO:
    """The images of an animated WebP with their times, as a Matroska file.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the images take too much memory.
    """
    status = path.stat()
    return io.BytesIO(_convert(path, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=1)
def _convert(path: Path, _modified: int, _size: int) -> bytes:
    content = io.BytesIO()
    with decoding_errors(path), Pillow.open(path, formats=["WEBP"]) as image:
        width, height = image.size
        if width * height * 4 * getattr(image, "n_frames", 1) > MAX_DECODED_BYTES:
            raise LimitError(f"{path.name} is too long for an animated WebP", "make it a video, or cut it")
        with av.open(content, "w", format="matroska") as output:
            stream: Any = output.add_stream("ffv1", rate=Fraction(1000, DEFAULT_DURATION))
            stream.width, stream.height, stream.pix_fmt = width, height, "bgra"
            stream.time_base = stream.codec_context.time_base = MILLISECOND
            time = 0
            for picture in ImageSequence.Iterator(image):
                pixels = np.asarray(picture.convert("RGBA"))
                frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="bgra")
                frame.pts, frame.time_base = time, MILLISECOND
                output.mux(stream.encode(frame))
                time += picture.info.get("duration") or DEFAULT_DURATION
            output.mux(stream.encode(None))
    return content.getvalue()
