"""What is too much, and the checks that need no decoding."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from asccl.errors import LimitError, UnreadableError


@dataclass(frozen=True)
class Limits:
    """The most that is accepted; the defaults suit somebody's own machine.

    max_pixels: of a video frame (DCI 4K). max_still_pixels: of a picture. max_bytes: of the file.
    max_seconds, max_frames: of a video.
    """

    max_pixels: int = 4096 * 2304
    max_still_pixels: int = 25_000_000
    max_bytes: int = 16 * 2**30
    max_seconds: float = 3600.0
    max_frames: int = 432_000

    def check_size(self, path: Path, width: int, height: int, is_still: bool = False) -> None:
        """Raises LimitError."""
        most = self.max_still_pixels if is_still else self.max_pixels
        if width * height > most:
            raise LimitError(
                f"{path.name} is {width} x {height}, more than {most / 1e6:.3g} million pixels",
                "make it smaller first",
            )

    def check_length(self, path: Path, seconds: float, frames: int) -> None:
        """Raises LimitError."""
        if seconds > self.max_seconds:
            raise LimitError(
                f"{path.name} lasts longer than {format_duration(self.max_seconds)}", "cut out the part you need"
            )
        if frames > self.max_frames:
            raise LimitError(f"{path.name} has more than {self.max_frames} frames", "cut out the part you need")

    def check_file(self, path: Path) -> None:
        """Raises UnreadableError where there is no file that can be opened, LimitError where it is too big."""
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableError(f"{path.name or path} is a folder", "give a video or a picture")
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError(f"{path.name} is not an ordinary file", "give a video or a picture")
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


UNLIMITED = Limits(2**31 - 1, 2**31 - 1, 2**62, float("inf"), 2**62)  # for a file that was checked before


def format_duration(seconds: float) -> str:
    """3600 -> '1 hour', 90 -> '1.5 minutes'."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}{'s' if seconds != length else ''}"
    return f"{seconds:g} seconds"
