"""Limits on the input, and the checks that need no decoding."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from asccl.errors import LimitError, UnreadableError


@dataclass(frozen=True)
class Limits:
    """Largest accepted input; the defaults are meant for a user's own machine.

    Attributes:
        max_pixels: of a video frame (DCI 4K).
        max_still_pixels: of a still (the largest cameras of phones have 50 to 200 million).
        max_side: pixels, of a video frame or a still; OpenCV refuses more than 32767.
        max_aspect: longer over shorter side.
        max_bytes: of the file.
        max_seconds: of a video.
        max_frames: of a video.
        max_decoded_frames: that are decoded to show or sample single frames of a video. Further samples are key frames.
    """

    max_pixels: int = 4096 * 2304
    max_still_pixels: int = 100_000_000
    max_side: int = 30_000
    max_aspect: float = 20.0
    max_bytes: int = 16 * 2**30
    max_seconds: float = 3600.0
    max_frames: int = 432_000
    max_decoded_frames: int = 432_000

    def check_size(self, path: Path, width: int, height: int, is_still: bool = False) -> None:
        """Check the size and shape of a frame.

        Args:
            path: named in the error.
            width: pixels.
            height: pixels.
            is_still: whether the file is a still.

        Raises:
            LimitError: there are too many pixels, in all or along one side.
        """
        max_pixels = self.max_still_pixels if is_still else self.max_pixels
        if width * height > max_pixels:
            raise LimitError(
                f"{path.name} is {width} x {height}, more than {max_pixels / 1e6:.3g} million pixels",
                "make it smaller first",
            )
        if max(width, height) > self.max_side or max(width, height) > self.max_aspect * min(width, height):
            raise LimitError(
                f"{path.name} is {width} x {height}: a side may have {self.max_side} pixels, and {self.max_aspect:g} "
                "times the other side",
                "cut out the part that shows the face",
            )

    def check_length(self, path: Path, seconds: float, frames: int) -> None:
        """Check the length of a video.

        Args:
            path: named in the error.
            seconds: duration so far.
            frames: number of frames so far.

        Raises:
            LimitError: the video is too long.
        """
        if seconds > self.max_seconds:
            raise LimitError(
                f"{path.name} lasts longer than {format_duration(self.max_seconds)}", "cut out the part you need"
            )
        if frames > self.max_frames:
            raise LimitError(f"{path.name} has more than {self.max_frames} frames", "cut out the part you need")

    def check_file(self, path: Path) -> None:
        """Check that the file exists, can be opened and is not too big.

        Raises:
            UnreadableError: there is no file that can be opened.
            LimitError: the file is too big.
        """
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableError(f"{path.name or path} is a folder", "give a video or an image")
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError(f"{path.name} is not an ordinary file", "give a video or an image")
            os.close(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            raise UnreadableError(f"{path.name} does not exist", "check the name and the folder") from None
        except PermissionError:
            raise UnreadableError(f"{path.name} may not be read", "give yourself permission to read it") from None
        except (OSError, ValueError) as error:
            raise UnreadableError(f"{path.name} cannot be opened ({error})", "check the name and the disk") from None
        if status.st_size == 0:
            raise UnreadableError(f"{path.name} is empty", "copy or download it again")
        if status.st_size > self.max_bytes:
            raise LimitError(
                f"{path.name} has {status.st_size / 2**20:.0f} MB, more than {self.max_bytes / 2**20:.0f}",
                "make it shorter or smaller first",
            )


UNLIMITED = Limits(
    2**31 - 1, 2**31 - 1, 2**31 - 1, float("inf"), 2**62, float("inf"), 2**62
)  # for a file that has been checked already


def format_duration(seconds: float) -> str:
    """Format a duration: 3600 gives '1 hour', 90 gives '1.5 minutes'."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}{'s' if seconds != length else ''}"
    return f"{seconds:g} seconds"
